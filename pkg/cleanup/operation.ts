import type { RulePlace, RuleRemoval } from '../firewall/firewall.ts';
import type { Family } from '../ip/address.ts';
import { printVirtualServer, type VirtualServerId } from '../ipvs/ipvs.ts';
import { type NftTableId, printNftTable } from '../nftables/nftables.ts';

/** One step of a clean-up. */
export type CleanupOperation =
  | { readonly kind: 'deleteVirtualServer'; readonly virtualServer: VirtualServerId }
  | { readonly kind: 'deleteDevice'; readonly name: string }
  | {
      readonly kind: 'removeRules';
      readonly place: RulePlace;
      readonly removals: readonly RuleRemoval[];
    }
  /** Removes our own rules from a table that iptables cannot print. */
  | { readonly kind: 'removeOwnRules'; readonly family: Family }
  | { readonly kind: 'deleteNftTable'; readonly table: NftTableId }
  | { readonly kind: 'destroySet'; readonly name: string };

/** What a clean-up does. */
export interface CleanupPlan {
  /** In the order in which they must be done: what marks a virtual server as ours after the server, sets after the rules that match on them. */
  readonly operations: readonly CleanupOperation[];
  /** Objects of ours that cannot be deleted, each with the reason. */
  readonly kept: readonly string[];
  /** What could not be read, for messages: tables that iptables cannot print. */
  readonly unreadable: readonly string[];
}

/** An operation in one line, for the log. */
export function printCleanup(operation: CleanupOperation): string {
  switch (operation.kind) {
    case 'deleteVirtualServer':
      return `virtual server ${printVirtualServer(operation.virtualServer)}`;
    case 'deleteDevice':
      return `device ${operation.name}`;
    case 'removeRules': {
      const { place, removals } = operation;
      const chains = removals.reduce((sum, { emptied }) => sum + emptied.length, 0);
      const rules = removals.reduce((sum, removal) => sum + removal.rules.length, 0);
      return `${place.family} rules of ${place.flavour} (${chains} chains, ${rules} jumps to them)`;
    }
    case 'removeOwnRules':
      return `${operation.family} rules in a table that iptables cannot print`;
    case 'deleteNftTable':
      return `nf_tables table ${printNftTable(operation.table)}`;
    case 'destroySet':
      return `set ${operation.name}`;
  }
}
