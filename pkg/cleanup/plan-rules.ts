import type { PrintedRules, RuleRemoval } from '../firewall/firewall.ts';
import { commentOf, parseChains, type SavedChain, type SavedRule } from '../firewall/saved-rule.ts';
import { hasProxyChains, isProxyChain, jumpComments } from './names.ts';
import type { CleanupOperation, CleanupPlan } from './operation.ts';

/** Plans the removal of rules from all places. */
export function planRules(all: readonly PrintedRules[]): CleanupPlan {
  const plans = all.map(planPlace);
  return {
    operations: plans.flatMap(({ operations }) => operations),
    kept: plans.flatMap(({ kept }) => kept),
    unreadable: plans.flatMap(({ unreadable }) => unreadable),
  };
}

function planPlace({ family, flavour, text }: PrintedRules): CleanupPlan {
  const removals: RuleRemoval[] = [];
  const kept: string[] = [];
  const unreadable: string[] = [];
  for (const [table, chains] of parseChains(text)) {
    const where = `${family} table ${table} of ${flavour}`;
    if (chains === 'opaque') {
      if (hasProxyChains(table)) unreadable.push(where);
    } else {
      const { removal, held } = planTable(table, chains);
      if (removal !== undefined) removals.push(removal);
      kept.push(...held.map(({ chain, by }) => `chain ${chain} in ${where}: used by ${by}`));
    }
  }
  const place = { family, flavour };
  const removing: readonly CleanupOperation[] =
    removals.length === 0 ? [] : [{ kind: 'removeRules', place, removals }];
  const blind: readonly CleanupOperation[] =
    unreadable.length === 0 ? [] : [{ kind: 'removeOwnRules', family }];
  return {
    operations: [...removing, ...blind],
    kept,
    unreadable,
  };
}

/** A chain that stays, and a rule of another program that jumps to it. */
interface HeldChain {
  readonly chain: string;
  readonly by: string;
}

/**
 * Chains are deleted with their rules and with the jumps to them that a kube-proxy made. A chain that a rule of another program
 * jumps to is only emptied.
 */
function planTable(
  table: string,
  chains: ReadonlyMap<string, SavedChain>,
): { removal: RuleRemoval | undefined; held: readonly HeldChain[] } {
  const own = [...chains.keys()].filter((name) => isProxyChain(table, name));
  const goes = new Set(own);
  const rules: string[] = [];
  const heldBy = new Map<string, string>();
  for (const [name, chain] of chains) {
    if (goes.has(name)) continue;
    for (const rule of chain.rules) {
      const to = chainOf(rule);
      if (to === undefined || !goes.has(to)) continue;
      if (chain.policy !== undefined && jumpComments.has(commentOf(rule) ?? ''))
        rules.push(rule.text);
      else heldBy.set(to, rule.text);
    }
  }
  const deleted = own.filter((name) => !heldBy.has(name));
  const isEmpty = (name: string) => chains.get(name)?.rules.length === 0;
  // Of chains that stay, only the rules can be removed.
  const emptied = own.filter((name) => !(heldBy.has(name) && isEmpty(name)));
  return {
    removal: emptied.length + rules.length === 0 ? undefined : { table, rules, emptied, deleted },
    held: [...heldBy].map(([chain, by]) => ({ chain, by })),
  };
}

function chainOf({ target }: SavedRule): string | undefined {
  return target.target === 'jump' || target.target === 'goto' ? target.chain : undefined;
}
