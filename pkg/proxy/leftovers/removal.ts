import type { RulePlace, RuleRemoval } from '../../firewall/firewall.ts';
import { type NftTableId, printNftTable } from '../../nftables/nftables.ts';

/** One step of taking away what a kube-proxy left in the packet filter. */
export type LeftoverRemoval =
  | {
      readonly kind: 'removeRules';
      readonly place: RulePlace;
      readonly removals: readonly RuleRemoval[];
    }
  | { readonly kind: 'deleteNftTable'; readonly table: NftTableId };

/** A removal in one line, for the log. */
export function printRemoval(removal: LeftoverRemoval): string {
  if (removal.kind === 'deleteNftTable') return `nf_tables table ${printNftTable(removal.table)}`;
  const { place, removals } = removal;
  const chains = removals.reduce((sum, { emptied }) => sum + emptied.length, 0);
  const rules = removals.reduce((sum, each) => sum + each.rules.length, 0);
  return `${place.family} rules of ${place.flavour} (${chains} chains, ${rules} jumps to them)`;
}
