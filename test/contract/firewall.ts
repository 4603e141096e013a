import { describe, expect, test } from 'vitest';
import { isNotFound } from '../../pkg/errno/errno.ts';
import {
  type Chain,
  type Firewall,
  isLockHeld,
  type Jump,
  type Match,
  type Ruleset,
  type Table,
} from '../../pkg/firewall/firewall.ts';
import { savedJump, savedRule } from '../../pkg/firewall/saved.ts';
import { type Family, families } from '../../pkg/ip/address.ts';
import { parsePrefix } from '../../pkg/ip/prefix.ts';

/** A firewall, and another way to its tables: reading what it wrote, and a foreign hand. */
export interface FirewallHarness {
  readonly firewall: Firewall;
  /** What `iptables-save` prints. */
  readonly dump: (family: Family) => Promise<string>;
  readonly flushChain: (family: Family, chain: { table: Table; name: string }) => Promise<void>;
  /** Takes one rule away, given as iptables-save prints it. */
  readonly removeRule: (family: Family, where: { table: Table; rule: string }) => Promise<void>;
  /** Puts a rule first in a built-in chain, given as iptables-save prints it. */
  readonly insertRule: (family: Family, where: { table: Table; rule: string }) => Promise<void>;
  /** Makes an ip set of type hash:ip,port if it is missing, as some rules match on one. */
  readonly createSet: (family: Family, name: string) => Promise<void>;
}

/** What every firewall does. `make` gives one over empty tables. */
export function firewallContract(
  name: string,
  make: () => Promise<FirewallHarness>,
  of: readonly Family[] = families,
): void {
  describe.each(of)(`${name}, %s`, (family) => {
    test('its iptables is found and says what it can', async () => {
      const { firewall } = await make();
      const { description, randomFully } = await firewall.capabilities(family);
      expect(description).toMatch(/^ip6?tables v\d/);
      expect(randomFully).toBe(true);
    });
    applying(family, make);
    jumping(family, make);
    checking(family, make);
    removing(family, make);
  });
}

/** A firewall whose programs share a lock with those of others. */
export interface LockedFirewallHarness extends FirewallHarness {
  /** Takes the lock, as another program would. Returns what gives it back. */
  readonly holdLock: () => Promise<() => void>;
}

/** What a firewall does while another program holds the lock of iptables: nftables has none. */
export function firewallLockContract(
  name: string,
  make: () => Promise<LockedFirewallHarness>,
): void {
  test.each(families)(
    `${name}, %s: a held lock is told, and the rules come later`,
    async (family) => {
      const { firewall, dump, holdLock } = await make();
      const ruleset = sample(family);
      await firewall.apply(family, ruleset);
      const release = await holdLock();
      const fewer = { ...ruleset, chains: ruleset.chains.map(withoutFirstRule) };
      await expect(firewall.apply(family, fewer)).rejects.toSatisfy(isLockHeld);
      await expect(firewall.remove(family, fewer)).rejects.toSatisfy(isLockHeld);
      expect(ownChains(await dump(family))).toEqual(expectedChains(family, ruleset));
      release();
      await firewall.apply(family, fewer);
      expect(ownChains(await dump(family))).toEqual(expectedChains(family, fewer));
      expect(await firewall.check(family, fewer)).toBe('same');
    },
  );
}

type Make = () => Promise<FirewallHarness>;

function applying(family: Family, make: Make): void {
  test('chains hold exactly the rules asked for, in order', async () => {
    const { firewall, dump } = await make();
    const ruleset = sample(family);
    await firewall.apply(family, ruleset);
    expect(ownChains(await dump(family))).toEqual(expectedChains(family, ruleset));
    const fewer = { ...ruleset, chains: ruleset.chains.map(withoutFirstRule) };
    await firewall.apply(family, fewer);
    expect(ownChains(await dump(family))).toEqual(expectedChains(family, fewer));
  });

  test('every kind of rule is printed back as foreseen', async () => {
    const { firewall, dump, createSet } = await make();
    const set = family === 'IPv4' ? 'KUBE-TEST' : 'KUBE-6-TEST';
    await createSet(family, set);
    const ruleset = { chains: [everyKind(family, set)], jumps: [] };
    await firewall.apply(family, ruleset);
    expect(ownChains(await dump(family))).toEqual(expectedChains(family, ruleset));
  });

  test('a rule that matches on a missing set is refused, and nothing of its table is written', async () => {
    const { firewall, dump } = await make();
    await firewall.apply(family, sample(family));
    const before = await dump(family);
    const set: Match = { match: 'set', set: 'KUBE-NONE', directions: ['dst', 'dst'] };
    const rule = { matches: [set], target: { target: 'DROP' } } as const;
    const ruleset: Ruleset = {
      chains: [{ table: 'nat', name: 'KUBE-TEST-A', rules: [rule] }],
      jumps: [],
    };
    const refused = firewall.apply(family, ruleset);
    await expect(refused).rejects.toThrow(/^apply IPv\d rules: ENOENT.*Set KUBE-NONE doesn't/s);
    await expect(refused).rejects.toSatisfy(isNotFound);
    expect(ownChains(await dump(family))).toEqual(ownChains(before));
  });

  test('a jump to a chain that is not there is refused', async () => {
    const { firewall } = await make();
    const target = { target: 'jump', chain: 'KUBE-NOWHERE' } as const;
    const chain: Chain = { table: 'nat', name: 'KUBE-TEST-A', rules: [{ matches: [], target }] };
    await expect(firewall.apply(family, { chains: [chain], jumps: [] })).rejects.toThrow(
      'KUBE-NOWHERE',
    );
  });

  test('rules of others stay', async () => {
    const { firewall, dump, insertRule } = await make();
    const rule = `-A FORWARD -m comment --comment "somebody else" -j ACCEPT`;
    await insertRule(family, { table: 'filter', rule });
    await firewall.apply(family, sample(family));
    await firewall.apply(family, sample(family));
    expect(await dump(family)).toContain(rule);
  });
}

function jumping(family: Family, make: Make): void {
  test('of two missing jumps the later one stands first', async () => {
    const { firewall, dump } = await make();
    const ruleset = sample(family);
    await firewall.apply(family, ruleset);
    expect(rulesOf(await dump(family), 'INPUT')).toEqual(
      ruleset.jumps
        .filter(({ from }) => from === 'INPUT')
        .map((jump) => savedJump(jump, family))
        .reverse(),
    );
  });

  test('a jump is inserted once, and not moved when others insert before it', async () => {
    const { firewall, dump, insertRule } = await make();
    const { jumps, chains } = sample(family);
    const jump = jumps.filter(({ from }) => from === 'FORWARD');
    await firewall.apply(family, { chains, jumps: jump });
    const rule = '-A FORWARD -m comment --comment "somebody else" -j ACCEPT';
    await insertRule(family, { table: 'filter', rule });
    await firewall.apply(family, { chains, jumps: jump });
    expect(rulesOf(await dump(family), 'FORWARD')).toEqual([
      rule,
      ...jump.map((own) => savedJump(own, family)),
    ]);
  });

  test('a jump that was taken away comes back first', async () => {
    const { firewall, dump, insertRule, removeRule } = await make();
    const ruleset = sample(family);
    const jump = ruleset.jumps.find(({ from }) => from === 'FORWARD');
    if (jump === undefined) throw new Error('no jump from FORWARD');
    const rule = savedJump(jump, family);
    await firewall.apply(family, ruleset);
    const foreign = '-A FORWARD -m comment --comment "somebody else" -j ACCEPT';
    await removeRule(family, { table: 'filter', rule });
    await insertRule(family, { table: 'filter', rule: foreign });
    await firewall.apply(family, ruleset);
    expect(rulesOf(await dump(family), 'FORWARD')).toEqual([rule, foreign]);
  });
}

function checking(family: Family, make: Make): void {
  test('before anything was applied nothing is known', async () => {
    const { firewall } = await make();
    expect(await firewall.check(family, sample(family))).toBe('unknown');
  });

  test('what was applied is the same until somebody changes it', async () => {
    const harness = await make();
    const { firewall } = harness;
    const ruleset = sample(family);
    await firewall.apply(family, ruleset);
    expect(await firewall.check(family, ruleset)).toBe('same');
    expect(await firewall.check(family, ruleset)).toBe('same');
    await harness.flushChain(family, { table: 'nat', name: 'KUBE-TEST-A' });
    expect(await firewall.check(family, ruleset)).toBe('different');
    await firewall.apply(family, ruleset);
    expect(await firewall.check(family, ruleset)).toBe('same');
  });

  test('a missing jump is a difference', async () => {
    const { firewall, removeRule } = await make();
    const ruleset = sample(family);
    await firewall.apply(family, ruleset);
    for (const jump of ruleset.jumps.slice(0, 1)) {
      await removeRule(family, { table: jump.table, rule: savedJump(jump, family) });
    }
    expect(await firewall.check(family, ruleset)).toBe('different');
  });

  test('rules of others, before ours too, are no difference', async () => {
    const { firewall, insertRule } = await make();
    const ruleset = sample(family);
    await firewall.apply(family, ruleset);
    const rule = '-A INPUT -m comment --comment "somebody else" -j ACCEPT';
    await insertRule(family, { table: 'filter', rule });
    expect(await firewall.check(family, ruleset)).toBe('same');
  });

  test('other rules than those last applied are a difference', async () => {
    const { firewall } = await make();
    const ruleset = sample(family);
    await firewall.apply(family, ruleset);
    const other = { ...ruleset, chains: ruleset.chains.map(withoutFirstRule) };
    expect(await firewall.check(family, other)).toBe('different');
  });

  test('a change of the other family is no difference', async () => {
    const { firewall } = await make();
    const other: Family = family === 'IPv4' ? 'IPv6' : 'IPv4';
    await firewall.apply(family, sample(family));
    await firewall.apply(other, sample(other));
    expect(await firewall.check(family, sample(family))).toBe('same');
  });
}

function removing(family: Family, make: Make): void {
  test('jumps and chains are removed, and removing them again is no error', async () => {
    const { firewall, dump, insertRule } = await make();
    const foreign = '-A INPUT -m comment --comment "somebody else" -j ACCEPT';
    await insertRule(family, { table: 'filter', rule: foreign });
    await firewall.apply(family, sample(family));
    await firewall.remove(family, sample(family));
    const text = await dump(family);
    expect(text).not.toContain('KUBE-');
    expect(text).toContain(foreign);
    await firewall.remove(family, sample(family));
    expect(await firewall.check(family, sample(family))).toBe('unknown');
  });

  test('a jump that stands twice is removed twice', async () => {
    const { firewall, dump, insertRule } = await make();
    const ruleset = sample(family);
    await firewall.apply(family, ruleset);
    for (const jump of ruleset.jumps) {
      await insertRule(family, { table: jump.table, rule: savedJump(jump, family) });
    }
    await firewall.remove(family, ruleset);
    expect(await dump(family)).not.toContain('KUBE-');
  });

  test('a chain that others jump to is emptied, but stays', async () => {
    const { firewall, dump, insertRule } = await make();
    const ruleset = sample(family);
    await firewall.apply(family, ruleset);
    const foreign = '-A POSTROUTING -m comment --comment "somebody else" -j KUBE-TEST-B';
    await insertRule(family, { table: 'nat', rule: foreign });
    await firewall.remove(family, ruleset);
    expect(ownChains(await dump(family))).toEqual(['nat KUBE-TEST-B']);
    expect(await dump(family)).toContain(foreign);
  });
}

/** Two tables, a chain that leads into another, and two jumps from one built-in chain. */
function sample(family: Family): Ruleset {
  const comment: Match = { match: 'comment', text: 'say "hello" to C:\\ and \'others\'' };
  const jumps: readonly Jump[] = [
    { table: 'nat', from: 'OUTPUT', comment: 'test portals', to: 'KUBE-TEST-A' },
    { table: 'filter', from: 'FORWARD', comment: 'test forwarding', to: 'KUBE-TEST-C' },
    { table: 'filter', from: 'INPUT', comment: 'test access', to: 'KUBE-TEST-C' },
    { table: 'filter', from: 'INPUT', comment: 'test health', to: 'KUBE-TEST-D' },
  ];
  const chains: readonly Chain[] = [
    {
      table: 'nat',
      name: 'KUBE-TEST-A',
      rules: [
        { matches: [{ match: 'source', network: network(family) }], target: { target: 'RETURN' } },
        { matches: [comment], target: { target: 'jump', chain: 'KUBE-TEST-B' } },
      ],
    },
    {
      table: 'nat',
      name: 'KUBE-TEST-B',
      rules: [{ matches: [], target: { target: 'MARK', operation: 'or', value: 0x4000 } }],
    },
    {
      table: 'filter',
      name: 'KUBE-TEST-C',
      rules: [{ matches: [comment], target: { target: 'REJECT' } }],
    },
    { table: 'filter', name: 'KUBE-TEST-D', rules: [] },
  ];
  return { chains, jumps };
}

/** A chain with every match that needs no module beyond those of a plain node, and every target. */
function everyKind(family: Family, set: string): Chain {
  const matches: readonly Match[] = [
    { match: 'comment', text: 'plain-word' },
    { match: 'protocol', protocol: 'SCTP' },
    { match: 'source', network: network(family), not: true },
    { match: 'destination', network: network(family) },
    { match: 'inputInterface', name: 'cali+', not: true },
    { match: 'set', set, directions: ['dst', 'dst'] },
    { match: 'mark', value: 0x4000, mask: 0x4000, not: true },
    { match: 'connectionState', states: ['RELATED', 'ESTABLISHED'] },
    { match: 'sourceType', type: 'LOCAL', not: true },
    { match: 'destinationType', type: 'LOCAL' },
    { match: 'physicalInput', not: true },
  ];
  return {
    table: 'nat',
    name: 'KUBE-POSTROUTING',
    rules: [
      { matches, target: { target: 'ACCEPT' } },
      ...matches.map((match) => ({ matches: [match], target: { target: 'RETURN' } }) as const),
      { matches: [], target: { target: 'MARK', operation: 'xor', value: 0x8000_0000 } },
      { matches: [], target: { target: 'MASQUERADE', randomFully: true } },
      { matches: [], target: { target: 'MASQUERADE', randomFully: false } },
    ],
  };
}

function network(family: Family) {
  const found = parsePrefix(family === 'IPv4' ? '10.0.0.0/8' : 'fd00:10::/32');
  if (found === undefined) throw new Error('not a network');
  return found;
}

function withoutFirstRule(chain: Chain): Chain {
  return { ...chain, rules: chain.rules.slice(1) };
}

function expectedChains(family: Family, { chains }: Ruleset): string[] {
  return chains
    .flatMap(({ table, name, rules }) => [
      `${table} ${name}`,
      ...rules.map((rule) => `${table} ${savedRule(name, rule, family)}`),
    ])
    .sort(byChain);
}

/** Chains called KUBE-* and their rules, the chains sorted, the rules of each in order. */
function ownChains(dump: string): string[] {
  let table = '';
  const lines: string[] = [];
  for (const line of dump.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1);
    const chain = /^:(KUBE-\S+)/.exec(line)?.[1];
    if (chain !== undefined) lines.push(`${table} ${chain}`);
    if (line.startsWith('-A KUBE-')) lines.push(`${table} ${line}`);
  }
  return lines.sort(byChain);
}

/** Sorts by table and chain; what is of one chain keeps its order, as sorting is stable. */
function byChain(one: string, other: string): number {
  const key = (line: string) => line.replace(' -A ', ' ').split(' ').slice(0, 2).join(' ');
  const isRule = (line: string) => Number(line.includes(' -A '));
  return key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : isRule(one) - isRule(other);
}

function rulesOf(dump: string, chain: string): string[] {
  const filter = dump.slice(dump.indexOf('*filter'));
  const table = filter.slice(0, filter.indexOf('COMMIT'));
  return table.split('\n').filter((line) => line.startsWith(`-A ${chain} `));
}
