import type { RealServer, RealServerId } from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';

/** A wanted real server. One with weight 0 is kept if it exists, and not added. */
export interface WantedRealServer extends RealServerId {
  readonly weight: 0 | 1;
  readonly podUid: PodIdentity;
}

/** The real servers that a front end wants. Computed at each call. */
export interface RealServers {
  /** Their largest possible number. */
  readonly capacity: number;
  /** Whether they are on other nodes, in place of local ones, which the policy asks for and there are none of. */
  readonly isFallback: boolean;
  get(id: RealServerId): WantedRealServer | undefined;
  values(): readonly WantedRealServer[];
}

/** Those of a front end that wants none. */
export const noRealServers: RealServers = {
  capacity: 0,
  isFallback: false,
  get: () => undefined,
  values: () => [],
};

/** Which endpoints a front end uses. `localFirst`: all endpoints if there are no local ones, so that pods of this node get an answer. */
export type Policy = 'cluster' | 'localOnly' | 'localFirst';

/**
 * A real server as all of ours are: its packets are masqueraded. With a limit it gets no new connections from that many on until it
 * has fewer than three quarters of them; 0 is none.
 */
export function masqueraded({
  address,
  port,
  weight,
  connectionLimit: upperThreshold = 0,
}: RealServerId & {
  readonly weight: number;
  readonly connectionLimit?: number | undefined;
}): RealServer {
  const lowerThreshold = Math.floor((upperThreshold * 3) / 4);
  return { address, port, weight, forwarding: 'masquerade', upperThreshold, lowerThreshold };
}
