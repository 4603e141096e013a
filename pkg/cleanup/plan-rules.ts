import type { PrintedRules, RuleRemoval } from '../firewall/firewall.ts';
import { parseChains } from '../firewall/saved-rule.ts';
import { hasProxyChains } from '../proxy/leftovers/names.ts';
import { planTable } from '../proxy/leftovers/plan-table.ts';
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
