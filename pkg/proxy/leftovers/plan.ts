import type { PrintedRules, RulePlace, RuleRemoval } from '../../firewall/firewall.ts';
import { savedJump } from '../../firewall/saved.ts';
import { parseChainsInPieces } from '../../firewall/saved-rule.ts';
import type { Family } from '../../ip/address.ts';
import type { NftTableId } from '../../nftables/nftables.ts';
import { jumps } from '../desired/chains.ts';
import { filterChains, natChains } from '../desired/rule-vocabulary.ts';
import { isProxyChain, nftTableName } from './names.ts';
import { type Kept, nothingKept, planTableInSteps } from './plan-table.ts';
import type { LeftoverRemoval } from './removal.ts';

/** The rules and tables of everybody. */
export interface FoundRules {
  readonly rules: readonly PrintedRules[];
  readonly nftTables: readonly NftTableId[];
}

/** What the proxier itself has there. */
export interface OwnRules {
  /** The flavour that our rules are written in. */
  readonly flavour: RulePlace['flavour'];
  /** The families that are served; nothing of another one is touched. */
  readonly families: readonly Family[];
}

/** What is to be taken away of other modes' leftovers. */
export interface LeftoverPlan {
  readonly removals: readonly LeftoverRemoval[];
  /** Chains that stay, for people: each with the rule of somebody else that leads into it. */
  readonly held: readonly string[];
}

/**
 * Whether iptables mode serves Services with the rules of a place. Chains of its Services alone do not tell: where a proxy of IPVS
 * mode took over, they stand and nothing leads into them.
 */
export function isServedByIptables({ text }: Pick<PrintedRules, 'text'>): boolean {
  return /^-A KUBE-SERVICES .*-[jg] KUBE-(?:NODEPORTS|(?:SVC|SVL|EXT|FW|XLB)-\S+)$/m.test(text);
}

/**
 * Plans what goes once our own rules stand: the table of nftables mode, and of all rules that a kube-proxy makes those that are not
 * ours. `pause` is called again and again, to let other work run.
 */
export async function planLeftovers(
  { rules, nftTables }: FoundRules,
  { flavour, families, pause }: OwnRules & { readonly pause: () => Promise<void> | undefined },
): Promise<LeftoverPlan> {
  const removals: LeftoverRemoval[] = [];
  const held: string[] = [];
  for (const place of rules) {
    if (!families.includes(place.family)) continue;
    const planned = await planPlace(place, { hasOurs: place.flavour === flavour, pause });
    const { family } = place;
    if (planned.removals.length > 0)
      removals.push({
        kind: 'removeRules',
        place: { family, flavour: place.flavour },
        removals: planned.removals,
      });
    held.push(...planned.held);
  }
  for (const table of nftTables)
    if (table.name === nftTableName && families.includes(table.family))
      removals.push({ kind: 'deleteNftTable', table });
  return { removals, held };
}

async function planPlace(
  { family, flavour, text }: PrintedRules,
  { hasOurs, pause }: { hasOurs: boolean; pause: () => Promise<void> | undefined },
): Promise<{ removals: readonly RuleRemoval[]; held: readonly string[] }> {
  const keptOf = (table: string) => (hasOurs ? ours(table, family) : nothingKept);
  // What is in chains that go means nothing, and there may be many thousand of them.
  const isSkipped = (table: string, chain: string) =>
    isProxyChain(table, chain) && !keptOf(table).chains.has(chain);
  const removals: RuleRemoval[] = [];
  const held: string[] = [];
  for (const [table, chains] of await parseChainsInPieces(text, { isSkipped, pause })) {
    if (chains === 'opaque') continue;
    const planned = await inSteps(planTableInSteps(table, chains, keptOf(table)), pause);
    if (planned.removal !== undefined) removals.push(planned.removal);
    for (const { chain, by } of planned.held)
      held.push(`chain ${chain} in ${family} table ${table} of ${flavour}: used by ${by}`);
  }
  return { removals, held };
}

/** Carries out steps, with a pause after each, and returns their result. */
async function inSteps<Result>(
  steps: Generator<void, Result>,
  pause: () => Promise<void> | undefined,
): Promise<Result> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await pause();
  }
}

/** Our own chains of a table, and the jumps to them. */
function ours(table: string, family: Family): Kept {
  const known = ownByFamily[family];
  return known.get(table) ?? nothingKept;
}

const ownByFamily: Readonly<Record<Family, ReadonlyMap<string, Kept>>> = {
  IPv4: ownOf('IPv4'),
  IPv6: ownOf('IPv6'),
};

function ownOf(family: Family): ReadonlyMap<string, Kept> {
  const chains = { nat: natChains, filter: filterChains };
  const jumpsOf = (table: 'nat' | 'filter') =>
    jumps.filter((jump) => jump.table === table).map((jump) => savedJump(jump, family));
  return new Map(
    (['nat', 'filter'] as const).map((table) => [
      table,
      { chains: new Set<string>(chains[table]), jumps: new Set(jumpsOf(table)) },
    ]),
  );
}
