import type { Family, IpAddress } from '../../ip/address.ts';
import { type Prefix, printPrefix } from '../../ip/prefix.ts';
import { type Entry, entryKey, type SetHeader } from '../../ipset/ipset.ts';
import {
  printRealServer,
  printVirtualServer,
  type RealServer,
  type RealServerId,
  type VirtualServer,
  type VirtualServerId,
} from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';
import { printLocalRoute } from '../../routes/routes.ts';
import type { PodAddress, RealServerState } from '../desired/real-servers.ts';
import type { RuleContent } from '../desired/rule-content.ts';
import type { UdpFrontEnd } from '../desired/udp-front-end.ts';
import { type Cleanup, printCleanup } from './cleanup.ts';

/**
 * How a drain ends: no connections are left; its pod is gone; a minute of packets went unanswered; the deadline; nothing to wait
 * for (UDP, a scheduler that cannot pass over it); wanted again; deleted by somebody else; the program stopped.
 */
export type DrainEnd =
  | 'empty'
  | 'podGone'
  | 'unanswered'
  | 'deadline'
  | 'atOnce'
  | 'wanted'
  | 'vanished'
  | 'shutdown';

/** What one message, or one call, does. Each may be repeated safely. */
export type SingleOperation =
  | { readonly kind: 'makeDevice' }
  | { readonly kind: 'createSet'; readonly header: SetHeader }
  /** Exchanges the names of two sets: rules that match on one name see the other's entries from then on. */
  | { readonly kind: 'swapSets'; readonly set: string; readonly other: string }
  | { readonly kind: 'destroySet'; readonly set: string }
  | { readonly kind: 'addEntry' | 'deleteEntry'; readonly set: string; readonly entry: Entry }
  /**
   * Requests that a family's rules be written for some content. It succeeds with the request, as the write may wait for a lock. What
   * depends on the rules is planned when they are written.
   */
  | { readonly kind: 'setRules'; readonly family: Family; readonly content: RuleContent }
  /** Removes all our rules of a family, so that their sets can be destroyed. It ends when they are removed. */
  | { readonly kind: 'withdrawRules'; readonly family: Family }
  /** Requests that what other modes of kube-proxy left be taken away. It succeeds with the request. */
  | { readonly kind: 'removeLeftovers' }
  | {
      readonly kind: 'addVirtualServer' | 'updateVirtualServer';
      readonly virtualServer: VirtualServer;
    }
  | { readonly kind: 'deleteVirtualServer'; readonly virtualServer: VirtualServerId }
  | {
      readonly kind: 'addRealServer';
      readonly virtualServer: VirtualServerId;
      readonly realServer: RealServer;
      readonly podUid: PodIdentity;
    }
  /** Changes the weight in place; connections stay. */
  | {
      readonly kind: 'weighRealServer';
      readonly virtualServer: VirtualServerId;
      readonly realServer: RealServer;
      readonly podUid: PodIdentity;
    }
  /** Weight 0 now; deletion when the graceful termination manager says so. */
  | {
      readonly kind: 'drainRealServer';
      readonly virtualServer: VirtualServerId;
      readonly realServer: RealServer;
      readonly podUid: PodIdentity;
    }
  /**
   * Weight 0 now, and deletion as soon as its clients are known: another pod has its address. The one that is wanted comes after
   * a pause that lets the kernel forget the old connections.
   */
  | {
      readonly kind: 'replaceRealServer';
      readonly virtualServer: VirtualServerId;
      readonly realServer: RealServer;
      /** The pod that it was for. */
      readonly podUid: PodIdentity;
    }
  /** A drain is over. Connections that are left are cut, after what the cleanup says was done for their clients. */
  | {
      readonly kind: 'deleteRealServer';
      readonly virtualServer: VirtualServerId;
      readonly realServer: RealServer;
      readonly reason: DrainEnd | 'reused';
      readonly cleanup?: Cleanup;
    }
  | { readonly kind: 'bindAddress' | 'unbindAddress'; readonly address: IpAddress }
  /** Adds a local route, or sets the source of one that is there. */
  | { readonly kind: 'addRoute'; readonly network: Prefix; readonly source: IpAddress | undefined }
  | { readonly kind: 'deleteRoute'; readonly network: Prefix }
  /** Requests that untranslated conntrack flows to new virtual servers be deleted. It succeeds with the request. */
  | { readonly kind: 'forgetFlows'; readonly virtualServers: readonly VirtualServerId[] }
  /** Requests that conntrack flows of UDP front ends be deleted that go to none of the serving endpoints. It succeeds with the request. */
  | { readonly kind: 'reconcileFlows'; readonly frontEnds: readonly UdpFrontEnd[] };

/** Adds real servers that differ in nothing but their addresses and pods, with a message for each. */
export interface AddRealServers {
  readonly kind: 'addRealServers';
  readonly virtualServer: VirtualServerId;
  readonly port: number;
  readonly state: RealServerState;
  /** May be the list of the slice itself. */
  readonly realServers: readonly PodAddress[];
  /** The index of the one that is added first. Those before it follow the last one. */
  readonly first: number;
}

/** One step of a plan. */
export type Operation = SingleOperation | AddRealServers;

/** An operation as one line, the same in logs, golden files and reviews: `+vs 10.96.0.1:443/TCP rr`. */
export function printOperation(operation: SingleOperation): string {
  switch (operation.kind) {
    case 'makeDevice':
      return '+device';
    case 'createSet':
      return `+set ${operation.header.name} ${operation.header.type}`;
    case 'swapSets':
      return `=set ${operation.set} swapped with ${operation.other}`;
    case 'destroySet':
      return `-set ${operation.set}`;
    case 'addEntry':
      return `+entry ${operation.set} ${entryKey(operation.entry)}`;
    case 'deleteEntry':
      return `-entry ${operation.set} ${entryKey(operation.entry)}`;
    case 'setRules':
      return printRules(operation);
    case 'withdrawRules':
      return `-rules ${operation.family}`;
    case 'removeLeftovers':
      return '-leftovers';
    case 'addVirtualServer':
      return `+vs ${printParameters(operation.virtualServer)}`;
    case 'updateVirtualServer':
      return `=vs ${printParameters(operation.virtualServer)}`;
    case 'deleteVirtualServer':
      return `-vs ${printVirtualServer(operation.virtualServer)}`;
    case 'addRealServer':
      return `+rs ${printPair(operation)} ${printLoad(operation.realServer)}`;
    case 'weighRealServer':
      return `=rs ${printPair(operation)} ${printLoad(operation.realServer)}`;
    case 'drainRealServer':
      return `~rs ${printPair(operation)}`;
    case 'replaceRealServer':
      return `!rs ${printPair(operation)}`;
    case 'deleteRealServer':
      return printDeletion(operation);
    case 'bindAddress':
      return `+address ${operation.address}`;
    case 'unbindAddress':
      return `-address ${operation.address}`;
    case 'addRoute':
      return `+route ${printLocalRoute(operation)}`;
    case 'deleteRoute':
      return `-route ${printPrefix(operation.network)}`;
    case 'forgetFlows':
      return `-flows ${operation.virtualServers.map(printVirtualServer).join(' ')}`;
    case 'reconcileFlows':
      return `=flows ${printFrontEnds(operation.frontEnds)}`;
  }
}

function printDeletion(deletion: Extract<Operation, { kind: 'deleteRealServer' }>): string {
  const around = deletion.cleanup === undefined ? '' : printCleanup(deletion.cleanup);
  return `-rs ${printPair(deletion)} ${deletion.reason}${around === '' ? '' : `: ${around}`}`;
}

function printFrontEnds(frontEnds: readonly UdpFrontEnd[]): string {
  return frontEnds
    .flatMap(({ addresses, port }) => addresses.map((address) => ({ address, port })))
    .map(({ address, port }) => printVirtualServer({ address, protocol: 'UDP', port }))
    .join(' ');
}

function printRules({
  family,
  content: { nonEmpty, closedToNode, closedRanges, leavesNat },
}: {
  family: Family;
  content: RuleContent;
}): string {
  const closed = closedToNode.size === 0 ? [] : [`${closedToNode.size} closed to the node`];
  const nat = leavesNat ? ['but nat'] : [];
  return ['=rules', family, ...nonEmpty, ...closed, ...closedRanges.keys(), ...nat].join(' ');
}

/** `10.96.0.1:443/TCP 10.0.0.7:80`. */
function printPair({
  virtualServer,
  realServer,
}: {
  virtualServer: VirtualServerId;
  realServer: RealServerId;
}): string {
  return `${printVirtualServer(virtualServer)} ${printRealServer(realServer)}`;
}

function printLoad({ weight, upperThreshold }: RealServer): string {
  return upperThreshold === 0 ? `weight ${weight}` : `weight ${weight} limit ${upperThreshold}`;
}

function printParameters(virtualServer: VirtualServer): string {
  const flags = virtualServer.flags === 0 ? '' : ` flags 0x${virtualServer.flags.toString(16)}`;
  const timeout = virtualServer.timeout === 0 ? '' : ` timeout ${virtualServer.timeout}`;
  return `${printVirtualServer(virtualServer)} ${virtualServer.scheduler}${flags}${timeout}`;
}
