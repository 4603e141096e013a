import { familyOf, type IpAddress } from '../ip/address.ts';
import type { Packet } from '../trace/packet.ts';
import type { Choice, Trace } from '../trace/result.ts';
import { isNodeAddress } from '../trace/state.ts';
import type { NodeState } from './node-state.ts';

/** By which way the answer of a real server comes back. */
export type WayBack =
  /** Masqueraded: to an address of this node, which puts the Service's address in. */
  | 'masqueraded'
  /** Through this node, as the real server or the client is here. */
  | 'here'
  /** Past this node, unless the network leads it here: nobody puts the Service's address in. */
  | 'direct'
  /** Over a bridge of this node on which nobody puts the Service's address in. */
  | 'bridged';

/** What a real server sees, and how its answer comes back. */
export interface Way {
  readonly choice: Choice;
  /** The source that the real server sees; `undefined` for an address of the node that the kernel picks. */
  readonly seenSource: IpAddress | undefined;
  readonly back: WayBack;
}

/** The ways of a packet to each real server that it reaches. */
export function waysOf(
  state: NodeState,
  { packet, trace }: { readonly packet: Packet; readonly trace: Trace },
): readonly Way[] {
  const { verdict } = trace;
  if (verdict.kind !== 'balanced') return [];
  return verdict.balancing.choices
    .filter(({ fate }) => fate === 'passed')
    .map((choice) => ({
      choice,
      seenSource: seenSource(state, { packet, choice }),
      back: wayBack(state, { packet, choice }),
    }));
}

/** Without conntrack of IPVS, nothing is masqueraded, whatever the rules say. */
function canMasquerade({ settings }: NodeState): boolean {
  return settings.get('net/ipv4/vs/conntrack') !== '0';
}

function isMasqueraded(state: NodeState, { masqueradedBy }: Choice): boolean {
  return masqueradedBy !== undefined && canMasquerade(state);
}

function seenSource(
  state: NodeState,
  { packet, choice }: { packet: Packet; choice: Choice },
): IpAddress | undefined {
  if (!isMasqueraded(state, choice)) return packet.source;
  const target = choice.masqueradedBy?.target;
  if (target?.target === 'SNAT') return target.address;
  const route = state.routes.get(choice.realServer.address);
  return route?.kind === 'device' ? route.source : undefined;
}

function wayBack(
  state: NodeState,
  { packet, choice }: { packet: Packet; choice: Choice },
): WayBack {
  if (isMasqueraded(state, choice)) return 'masqueraded';
  const { address } = choice.realServer;
  const isFromNode = packet.origin.kind === 'node' || isNodeAddress(state.kernel, packet.source);
  if (choice.isHairpin && !choice.isOnNode) return 'direct';
  const bridge = linkOf(state, address);
  const isSameBridge = bridge !== undefined && bridge === linkOf(state, packet.source);
  if (isSameBridge && !isFromNode && state.bridges.get(bridge)?.isFiltered === false)
    return 'bridged';
  if (choice.isOnNode || isFromNode) return 'here';
  return isHere(state, address) || isHere(state, packet.source) ? 'here' : 'direct';
}

/** Whether an address is on a link of this node, as a pod's is: no router leads to it. */
function isHere(state: NodeState, address: IpAddress): boolean {
  return linkOf(state, address) !== undefined;
}

/** The device on whose link an address is; `undefined` where a router leads to it, or nothing does. */
function linkOf({ routes }: NodeState, address: IpAddress): string | undefined {
  const route = routes.get(address);
  return route?.kind === 'device' && route.gateway === undefined ? route.device : undefined;
}

/** Whether the node forwards packets of a family; true if the kernel does not say. */
export function isForwarding({ settings }: NodeState, address: IpAddress): boolean {
  const path =
    familyOf(address) === 'IPv4' ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding';
  return settings.get(path) !== '0';
}
