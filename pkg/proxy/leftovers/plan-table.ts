import type { RuleRemoval } from '../../firewall/firewall.ts';
import { commentOf, type SavedChain, type SavedRule } from '../../firewall/saved-rule.ts';
import { isProxyChain, jumpComments } from './names.ts';

/** A chain that cannot be deleted, and a rule of another program that jumps to it. */
export interface HeldChain {
  readonly chain: string;
  readonly by: string;
}

/** What of a kube-proxy stays in a table: chains by name, and the jumps to them as `iptables-save` prints them. */
export interface Kept {
  readonly chains: ReadonlySet<string>;
  readonly jumps: ReadonlySet<string>;
}

/** Everything of a kube-proxy goes. */
export const nothingKept: Kept = { chains: new Set(), jumps: new Set() };

/** What is planned for one table. */
export interface TablePlan {
  readonly removal: RuleRemoval | undefined;
  readonly held: readonly HeldChain[];
}

/** How many chains and rules are looked at in one step: some milliseconds of work. */
const stepSize = 2000;

/**
 * Plans the removals from one table in steps, so that other work can run between two. Chains are deleted with their rules and with the
 * jumps to them that a kube-proxy made. A chain that a rule of another program jumps to is only emptied.
 */
export function* planTableInSteps(
  table: string,
  chains: ReadonlyMap<string, SavedChain>,
  kept: Kept = nothingKept,
): Generator<void, TablePlan> {
  const isOfProxy = (name: string) => isProxyChain(table, name);
  let looked = 0;
  const isStepOver = () => ++looked % stepSize === 0;
  const goes = new Set<string>();
  for (const name of chains.keys()) {
    if (isOfProxy(name) && !kept.chains.has(name)) goes.add(name);
    if (isStepOver()) yield;
  }
  const rules: string[] = [];
  const heldBy = new Map<string, string>();
  for (const [name, chain] of chains) {
    if (isStepOver()) yield;
    if (goes.has(name)) continue;
    for (const rule of chain.rules) {
      if (isStepOver()) yield;
      const to = chainOf(rule);
      if (to === undefined || !isOfProxy(to) || kept.jumps.has(rule.text)) continue;
      if (chain.policy !== undefined && jumpComments.has(commentOf(rule) ?? ''))
        rules.push(rule.text);
      else if (goes.has(to)) heldBy.set(to, rule.text);
    }
  }
  const emptied: string[] = [];
  const deleted: string[] = [];
  for (const name of goes) {
    if (isStepOver()) yield;
    const isHeld = heldBy.has(name);
    if (!isHeld) deleted.push(name);
    // Of chains that stay, only the rules can be removed.
    if (!isHeld || chains.get(name)?.rules.length !== 0) emptied.push(name);
  }
  return {
    removal: emptied.length + rules.length === 0 ? undefined : { table, rules, emptied, deleted },
    held: [...heldBy].map(([chain, by]) => ({ chain, by })),
  };
}

/** The same as {@link planTableInSteps}, at once. */
export function planTable(
  table: string,
  chains: ReadonlyMap<string, SavedChain>,
  kept: Kept = nothingKept,
): TablePlan {
  const steps = planTableInSteps(table, chains, kept);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function chainOf({ target }: SavedRule): string | undefined {
  return target.target === 'jump' || target.target === 'goto' ? target.chain : undefined;
}
