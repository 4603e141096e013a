import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { PodIdentity } from './pod-identity.ts';

/** A real server that should be there. One with weight 0 is kept if it is there, and not made. */
export interface WantedRealServer extends RealServerId {
  readonly weight: 0 | 1;
  readonly podUid: PodIdentity;
}

/** The real servers that a front end wants. Answers are made when they are asked for. */
export interface RealServers {
  /** How many there are at most. */
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

/** Which endpoints a front end sends its clients to. `localFirst`: without local ones to all, so that pods of this node get an answer. */
export type Policy = 'cluster' | 'localOnly' | 'localFirst';
