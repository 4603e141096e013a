import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import { type Family, families } from '../ip/address.ts';
import {
  type Chain,
  type Firewall,
  type FirewallCapabilities,
  LockHeldError,
  type PrintedRules,
  type Rule,
  type RulePlace,
  type RuleRemoval,
  type Ruleset,
  type RuleTables,
  type Table,
} from './firewall.ts';
import {
  deletableChains,
  ourPart,
  parseSavedAtOnce,
  savedChain,
  savedJump,
  savedRule,
} from './saved.ts';

/** One table as iptables-save prints it: chains by name, each with its printed rules. */
type FakeTable = Map<string, string[]>;

/** One call of the fake. */
export interface FirewallCall {
  readonly call: 'capabilities' | 'apply' | 'check' | 'remove';
  readonly family: Family;
}

/** The environment of the fake. */
export interface FakeFirewallOptions {
  /** Whether an ip set exists; by default all do. A rule that matches on a missing one is refused, as by iptables. */
  readonly hasSet?: (name: string) => boolean;
  readonly randomFully?: boolean;
  readonly flavour?: RulePlace['flavour'];
}

const builtins: Readonly<Record<Table, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
};

/** iptables in memory. It refuses what the kernel refuses and prints what iptables-save would print. */
export class FakeFirewall implements Firewall {
  /** How often each call was made. */
  readonly calls = { capabilities: 0, apply: 0, check: 0, remove: 0 };
  /** How often rules of each family were applied, failures included. */
  readonly applies: Record<Family, number> = { IPv4: 0, IPv6: 0 };
  /** Returns the code that a call fails with. */
  failWith: (call: FirewallCall) => ErrnoCode | undefined = () => undefined;
  /** Another program holds the lock of iptables. Reading does not need it. */
  isLocked = false;
  readonly #hasSet: (name: string) => boolean;
  readonly #capabilities: FirewallCapabilities;
  readonly #tables = new Map<Family, Record<Table, FakeTable>>();
  /** The content after the last write of a family, and the wanted content. */
  readonly #applied = new Map<Family, { ours: string; wanted: string }>();

  constructor({
    hasSet = () => true,
    randomFully = true,
    flavour = 'nft',
  }: FakeFirewallOptions = {}) {
    this.#hasSet = hasSet;
    this.#capabilities = { randomFully, flavour, description: 'iptables v0.0 (fake)' };
    for (const family of families) {
      this.#tables.set(family, { filter: emptyTable('filter'), nat: emptyTable('nat') });
    }
  }

  get flavour(): RulePlace['flavour'] {
    return this.#capabilities.flavour;
  }

  async capabilities(family: Family): Promise<FirewallCapabilities> {
    this.#inject(`look for ${family} iptables`, { call: 'capabilities', family });
    return this.#capabilities;
  }

  async apply(family: Family, ruleset: Ruleset): Promise<void> {
    this.applies[family]++;
    this.#applied.delete(family);
    this.#inject(`apply ${family} rules`, { call: 'apply', family });
    for (const chain of ruleset.chains) this.#verify(family, { chain, ruleset });
    for (const { table, name, rules } of ruleset.chains) {
      this.#table(family, table).set(name, printed(name, { rules, family }));
    }
    for (const jump of ruleset.jumps) {
      const rules = this.#chain(family, { table: jump.table, name: jump.from });
      const text = savedJump(jump, family);
      if (!rules.includes(text)) rules.unshift(text);
    }
    const applied = { ours: this.#ours(family, ruleset), wanted: wantedText(family, ruleset) };
    this.#applied.set(family, applied);
  }

  async check(family: Family, ruleset: Ruleset): Promise<'same' | 'different' | 'unknown'> {
    this.#inject(`read ${family} rules`, { call: 'check', family });
    const applied = this.#applied.get(family);
    if (applied === undefined) return 'unknown';
    const isLast = applied.wanted === wantedText(family, ruleset);
    return isLast && this.#ours(family, ruleset) === applied.ours ? 'same' : 'different';
  }

  async remove(family: Family, ruleset: Ruleset): Promise<void> {
    this.#inject(`remove ${family} rules`, { call: 'remove', family });
    this.#applied.delete(family);
    for (const jump of ruleset.jumps) {
      this.removeRule(family, { table: jump.table, rule: savedJump(jump, family) });
    }
    for (const { table, name } of ruleset.chains) this.#table(family, table).get(name)?.splice(0);
    const saved = parseSavedAtOnce(this.dump(family));
    for (const { table, name } of deletableChains(saved, { family, ruleset })) {
      this.#table(family, table).delete(name);
    }
  }

  /** Empties a chain, as another program does with `iptables -F`. */
  flushChain(family: Family, { table, name }: { table: Table; name: string }): void {
    this.#chain(family, { table, name }).splice(0);
  }

  /** Removes everything, as a reload of the host's own firewall does. */
  flushAll(family: Family): void {
    this.#tables.set(family, { filter: emptyTable('filter'), nat: emptyTable('nat') });
  }

  /** Removes every rule with this text, as another program does. */
  removeRule(family: Family, { table, rule }: { table: Table; rule: string }): void {
    const rules = this.#table(family, table).get(savedChain(rule));
    rules?.splice(0, rules.length, ...rules.filter((text) => text !== rule));
  }

  /** Inserts a rule at the beginning of its chain, which is created if it is missing. */
  insertRule(family: Family, { table, rule }: { table: Table; rule: string }): void {
    const chains = this.#table(family, table);
    const name = savedChain(rule);
    chains.set(name, [rule, ...(chains.get(name) ?? [])]);
  }

  /** Takes rules and chains out of a table; ENOENT for one that is not there, EBUSY for a chain that a rule still leads into. */
  takeOut(family: Family, { table, rules, emptied, deleted }: RuleRemoval): void {
    const operation = `remove ${family} rules of ${table}`;
    const chains = this.#table(family, table as Table); // of those that dump() prints
    for (const rule of rules) {
      const own = chains.get(savedChain(rule)) ?? [];
      if (!own.includes(rule)) throw new KernelError(operation, 'ENOENT', { detail: rule });
      own.splice(own.indexOf(rule), 1);
    }
    for (const name of emptied) this.#chain(family, { table: table as Table, name }).splice(0);
    for (const name of deleted) {
      const leadsThere = new RegExp(` -[jg] ${name}( |$)`);
      const isUsed = [...chains.values()].flat().some((rule) => leadsThere.test(rule));
      if (isUsed) throw new KernelError(operation, 'EBUSY', { detail: name });
      chains.delete(name);
    }
  }

  /** How many rules match on a set. While there are any, it cannot be destroyed. */
  references(set: string): number {
    return [...this.#tables.values()]
      .flatMap(({ filter, nat }) => [...filter.values(), ...nat.values()].flat())
      .filter((rule) => rule.includes(` --match-set ${set} `)).length;
  }

  /** Everything as `iptables-save` prints it, without comments. */
  dump(family: Family): string {
    const tables = this.#tables.get(family);
    if (tables === undefined) return '';
    return (['filter', 'nat'] as const)
      .flatMap((table) => [`*${table}`, ...printTable(table, tables[table]), 'COMMIT', ''])
      .join('\n');
  }

  #table(family: Family, table: Table): FakeTable {
    const tables = this.#tables.get(family);
    if (tables === undefined) throw new Error(`no family ${family}`);
    return tables[table];
  }

  #chain(family: Family, { table, name }: { table: Table; name: string }): string[] {
    const rules = this.#table(family, table).get(name);
    if (rules === undefined) {
      throw new KernelError(`find ${family} chain ${name} of ${table}`, 'ENOENT');
    }
    return rules;
  }

  /** Checks that the sets and chains that a rule names exist. */
  #verify(family: Family, { chain, ruleset }: { chain: Chain; ruleset: Ruleset }): void {
    const operation = `apply ${family} rules`;
    const chains = new Set([
      ...this.#table(family, chain.table).keys(),
      ...ruleset.chains.filter(({ table }) => table === chain.table).map(({ name }) => name),
    ]);
    for (const { matches, target } of chain.rules) {
      for (const match of matches) {
        if (match.match !== 'set' || this.#hasSet(match.set)) continue;
        throw new KernelError(operation, 'ENOENT', { detail: `Set ${match.set} doesn't exist.` });
      }
      if (target.target !== 'jump' || chains.has(target.chain)) continue;
      throw new KernelError(operation, 'EINVAL', {
        detail: `Chain '${target.chain}' does not exist`,
      });
    }
  }

  #ours(family: Family, ruleset: Ruleset): string {
    return ourPart(parseSavedAtOnce(this.dump(family)), { family, ruleset }).text;
  }

  #inject(operation: string, call: FirewallCall): void {
    this.calls[call.call]++;
    const code = this.failWith(call);
    if (code !== undefined) throw new KernelError(operation, code);
    const isWriting = call.call === 'apply' || call.call === 'remove';
    if (this.isLocked && isWriting) throw new LockHeldError(operation, 'somebody holds the lock');
  }
}

function wantedText(family: Family, { chains, jumps }: Ruleset): string {
  const rules = chains.flatMap(({ name, rules: own }) => printed(name, { rules: own, family }));
  return [...rules, ...jumps.map((jump) => savedJump(jump, family))].join('\n');
}

function emptyTable(table: Table): FakeTable {
  return new Map(builtins[table].map((name) => [name, []]));
}

function printed(
  name: string,
  { rules, family }: { rules: readonly Rule[]; family: Family },
): string[] {
  return rules.map((rule) => savedRule(name, rule, family));
}

/** Built-in chains first, then the others by name, then the rules in the same order. */
function printTable(table: Table, chains: FakeTable): string[] {
  const names = [...chains.keys()];
  const own = names.filter((name) => !builtins[table].includes(name)).sort();
  const ordered = [...builtins[table], ...own];
  return [
    ...builtins[table].map((name) => `:${name} ACCEPT [0:0]`),
    ...own.map((name) => `:${name} - [0:0]`),
    ...ordered.flatMap((name) => chains.get(name) ?? []),
  ];
}

/** The rules of everybody in the tables of one {@link FakeFirewall} for each flavour, as `iptables-save` prints them. */
export class FakeRuleTables implements RuleTables {
  /** How often each call was made. */
  readonly calls = { read: 0, remove: 0 };
  /** Fails a call with the code it returns. */
  failWith: (call: 'read' | 'remove') => ErrnoCode | undefined = () => undefined;
  readonly #firewalls: readonly FakeFirewall[];

  constructor(...firewalls: readonly FakeFirewall[]) {
    this.#firewalls = firewalls;
  }

  async read(): Promise<readonly PrintedRules[]> {
    this.#inject('read');
    return this.#firewalls.flatMap((firewall) =>
      families.map((family) => ({
        family,
        flavour: firewall.flavour,
        text: firewall.dump(family),
      })),
    );
  }

  async remove({ family, flavour }: RulePlace, removals: readonly RuleRemoval[]): Promise<void> {
    this.#inject('remove');
    const firewall = this.#firewalls.find((each) => each.flavour === flavour);
    if (firewall === undefined)
      throw new KernelError(`remove ${family} rules of ${flavour}`, 'ENOENT');
    for (const removal of removals) firewall.takeOut(family, removal);
  }

  #inject(call: 'read' | 'remove'): void {
    this.calls[call]++;
    const code = this.failWith(call);
    if (code !== undefined) throw new KernelError(`${call} rules`, code);
  }
}
