import type { Ruleset } from '../firewall/firewall.ts';
import { savedJump, savedRule } from '../firewall/saved.ts';
import { parseSavedRule, type SavedChain, type SavedChains } from '../firewall/saved-rule.ts';
import type { Family } from '../ip/address.ts';
import type { SavedTables } from '../trace/state.ts';

/** A ruleset and the family that it is for. */
export interface FamilyRules {
  readonly ruleset: Ruleset;
  readonly family: Family;
}

type Chains = ReadonlyMap<string, SavedChain>;

/** The packet filters with the rules of a ruleset in place of those that stand; the rules of others stay. */
export function withRuleset(
  filters: readonly SavedTables[],
  rules: FamilyRules,
): readonly SavedTables[] {
  const chosen = chosenFilter(filters, rules.ruleset);
  const replaced = withOwnChains(filters[chosen] ?? new Map(), rules);
  return filters.length === 0
    ? [replaced]
    : filters.map((filter, index) => (index === chosen ? replaced : filter));
}

/** The index of the packet filter that holds most of the ruleset's chains: that is where its proxy writes. */
export function chosenFilter(filters: readonly SavedTables[], { chains }: Ruleset): number {
  const counts = filters.map(
    (filter) => chains.filter(({ table, name }) => chainsOf(filter, table)?.has(name)).length,
  );
  return Math.max(counts.indexOf(Math.max(...counts)), 0);
}

/** The chains of a table; `undefined` if there is none or iptables cannot print it. */
export function chainsOf(filter: SavedTables, table: string): Chains | undefined {
  const chains: SavedChains | undefined = filter.get(table);
  return chains === 'opaque' ? undefined : chains;
}

function withOwnChains(filter: SavedTables, { ruleset, family }: FamilyRules): SavedTables {
  const replaced = new Map(filter);
  for (const table of ['nat', 'filter'] as const) {
    const standing = chainsOf(filter, table);
    if (standing === undefined && filter.has(table)) continue;
    const chains = new Map(standing);
    for (const { name, rules } of ruleset.chains.filter((chain) => chain.table === table))
      chains.set(name, {
        policy: undefined,
        rules: rules.map((rule) => parseSavedRule(savedRule(name, rule, family))),
      });
    for (const jump of ruleset.jumps.filter((one) => one.table === table)) {
      const text = savedJump(jump, family);
      const from = chains.get(jump.from) ?? { policy: 'ACCEPT', rules: [] };
      if (!from.rules.some((rule) => rule.text === text))
        chains.set(jump.from, { ...from, rules: [parseSavedRule(text), ...from.rules] });
    }
    replaced.set(table, chains);
  }
  return replaced;
}
