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

/**
 * Plans the removals from one table. Chains are deleted with their rules and with the jumps to them that a kube-proxy made. A chain
 * that a rule of another program jumps to is only emptied.
 */
export function planTable(
  table: string,
  chains: ReadonlyMap<string, SavedChain>,
  kept: Kept = nothingKept,
): { removal: RuleRemoval | undefined; held: readonly HeldChain[] } {
  const isOfProxy = (name: string) => isProxyChain(table, name);
  const own = [...chains.keys()].filter((name) => isOfProxy(name) && !kept.chains.has(name));
  const goes = new Set(own);
  const rules: string[] = [];
  const heldBy = new Map<string, string>();
  for (const [name, chain] of chains) {
    if (goes.has(name)) continue;
    for (const rule of chain.rules) {
      const to = chainOf(rule);
      if (to === undefined || !isOfProxy(to) || kept.jumps.has(rule.text)) continue;
      if (chain.policy !== undefined && jumpComments.has(commentOf(rule) ?? ''))
        rules.push(rule.text);
      else if (goes.has(to)) heldBy.set(to, rule.text);
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
