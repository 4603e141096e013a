import type { IpAddress } from '../../ip/address.ts';
import type { RealServer, RealServerId } from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';

/** A wanted real server. One with weight 0 is kept if it exists, and not added. */
export interface WantedRealServer extends RealServerId {
  readonly weight: 0 | 1;
  readonly podUid: PodIdentity;
}

/** A real server by its address alone, and its pod. */
export interface PodAddress {
  readonly address: IpAddress;
  readonly podUid: PodIdentity;
}

/** The one with an address, of a few. */
export function findAddress<One extends { readonly address: IpAddress }>(
  list: readonly One[],
  { address }: { readonly address: IpAddress },
): One | undefined {
  // A loop by index, as most of all comparisons of addresses are made here.
  for (let at = 0; at < list.length; at++) if (list[at]?.address === address) return list[at];
  return undefined;
}

/** Real servers of weight 1 that differ in nothing but their addresses and pods. */
export interface AlikeRealServers {
  readonly port: number;
  readonly realServers: readonly PodAddress[];
}

/** The real servers that a front end wants. Computed at each call. */
export interface RealServers {
  /** Their largest possible number. */
  readonly capacity: number;
  /** Whether they are on other nodes, in place of local ones, which the policy asks for and there are none of. */
  readonly isFallback: boolean;
  get(id: RealServerId): WantedRealServer | undefined;
  values(): readonly WantedRealServer[];
  /** All of them, if they are alike; `undefined` if they may differ. */
  alike(): AlikeRealServers | undefined;
}

/** Those of a front end that wants none. */
export const noRealServers: RealServers = {
  capacity: 0,
  isFallback: false,
  get: () => undefined,
  values: () => [],
  alike: () => undefined,
};

/** Which endpoints a front end uses. `localFirst`: all endpoints if there are no local ones, so that pods of this node get an answer. */
export type Policy = 'cluster' | 'localOnly' | 'localFirst';

/** How the kernel holds a real server: all but its address and port. */
export type RealServerState = Omit<RealServer, keyof RealServerId>;

/**
 * The state of a real server of ours: its packets are masqueraded. With a limit it gets no new connections from that many on until
 * it has fewer than three quarters of them; 0 is none.
 */
export function masqueradedState({
  weight,
  connectionLimit: upperThreshold = 0,
}: {
  readonly weight: number;
  readonly connectionLimit?: number | undefined;
}): RealServerState {
  if (upperThreshold === 0 && weight === 1) return serving;
  if (upperThreshold === 0 && weight === 0) return draining;
  return limited(weight, upperThreshold);
}

/** The usual state of a real server of ours that gets new connections: one object. */
export const serving: RealServerState = Object.freeze(limited(1, 0));
/** The usual state of one that drains: one object. */
export const draining: RealServerState = Object.freeze(limited(0, 0));

function limited(weight: number, upperThreshold: number): RealServerState {
  const lowerThreshold = Math.floor((upperThreshold * 3) / 4);
  return { weight, forwarding: 'masquerade', upperThreshold, lowerThreshold };
}

/** A real server in a state. */
export function realServerAt(
  { address, port }: RealServerId,
  { weight, forwarding, upperThreshold, lowerThreshold }: RealServerState,
): RealServer {
  return { address, port, weight, forwarding, upperThreshold, lowerThreshold };
}

/** A real server of ours, see {@link masqueradedState}. */
export function masqueraded(
  settings: RealServerId & Parameters<typeof masqueradedState>[0],
): RealServer {
  return realServerAt(settings, masqueradedState(settings));
}
