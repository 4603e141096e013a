import type { Family } from '../ip/address.ts';
import { type Prefix, printPrefix } from '../ip/prefix.ts';
import { printVirtualServer, type VirtualServerId } from '../ipvs/ipvs.ts';
import { type LeftoverRemoval, printRemoval } from '../proxy/leftovers/removal.ts';

/** One step of a clean-up. */
export type CleanupOperation =
  | { readonly kind: 'deleteVirtualServer'; readonly virtualServer: VirtualServerId }
  | { readonly kind: 'deleteDevice'; readonly name: string }
  | { readonly kind: 'deleteRoute'; readonly network: Prefix }
  | LeftoverRemoval
  /** Removes our own rules from a table that iptables cannot print. */
  | { readonly kind: 'removeOwnRules'; readonly family: Family }
  | { readonly kind: 'destroySet'; readonly name: string };

/** What a clean-up does. */
export interface CleanupPlan {
  /** In the order in which they must be done: what marks a virtual server as ours after it, sets after the rules that match on them. */
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
    case 'deleteRoute':
      return `local route ${printPrefix(operation.network)}`;
    case 'removeRules':
    case 'deleteNftTable':
      return printRemoval(operation);
    case 'removeOwnRules':
      return `${operation.family} rules in a table that iptables cannot print`;
    case 'destroySet':
      return `set ${operation.name}`;
  }
}
