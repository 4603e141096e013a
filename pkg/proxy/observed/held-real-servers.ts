import type { RealServer, RealServerId } from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';
import { RealServerMap } from '../desired/real-server-map.ts';
import { hasOtherState, type RealServerState } from './other-state.ts';

/** A real server that the kernel holds, with the pod that it was written for. */
export interface HeldRealServer {
  /** The pod that it was added for. */
  readonly podUid: PodIdentity;
  readonly state: RealServerState;
}

/** The real servers of a virtual server that the kernel holds, for those who only read them. */
export interface HeldRealServers {
  readonly size: number;
  get(id: RealServerId): HeldRealServer | undefined;
  has(id: RealServerId): boolean;
  /** The pod of a real server; `undefined` if it is not held. */
  podOf(id: RealServerId): PodIdentity | undefined;
  /** Visits each. */
  forEach(visit: (held: HeldRealServer, id: RealServerId) => void): void;
  /** Visits those of a pod. */
  forEachOf(pod: PodIdentity, visit: (id: RealServerId) => void): void;
  /** For those who stop in between. */
  [Symbol.iterator](): Iterator<readonly [RealServerId, HeldRealServer]>;
}

/** The real servers of a virtual server that the kernel holds. Of one in the usual state only the pod is kept, as there may be 250,000. */
export class HeldRealServerMap implements HeldRealServers {
  readonly #all = new RealServerMap<PodIdentity | HeldRealServer>();

  get size(): number {
    return this.#all.size;
  }

  get(id: RealServerId): HeldRealServer | undefined {
    const held = this.#all.get(id);
    return held === undefined ? undefined : whole(held);
  }

  has(id: RealServerId): boolean {
    return this.#all.has(id);
  }

  /** Whether some real servers are held in their states, and no others. */
  holdsOnly(realServers: readonly RealServer[]): boolean {
    const isHeld = (one: RealServer) => {
      const state = this.get(one)?.state;
      return state !== undefined && !hasOtherState(state, one);
    };
    return realServers.length === this.size && realServers.every(isHeld);
  }

  forEach(visit: (held: HeldRealServer, id: RealServerId) => void): void {
    this.#all.forEach((held, id) => visit(whole(held), id));
  }

  *[Symbol.iterator](): Generator<readonly [RealServerId, HeldRealServer]> {
    for (const [id, held] of this.#all) yield [id, whole(held)];
  }

  podOf(id: RealServerId): PodIdentity | undefined {
    const held = this.#all.get(id);
    return held === undefined ? undefined : podIn(held);
  }

  forEachOf(pod: PodIdentity, visit: (id: RealServerId) => void): void {
    this.#all.forEach((held, id) => {
      if (podIn(held) === pod) visit(id);
    });
  }

  /** Records the state and the pod of a held real server. */
  record(realServer: RealServer, podUid: PodIdentity): void {
    const state = stateOf(realServer);
    this.#all.set(realServer, state === serving ? podUid : { podUid, state });
  }

  /** Records the pod of a real server, if it is held. */
  recordPod(id: RealServerId, podUid: PodIdentity): void {
    const held = this.#all.get(id);
    if (held === undefined) return;
    this.#all.set(id, typeof held === 'string' ? podUid : { podUid, state: held.state });
  }

  /** Records that a real server is no longer held. */
  delete(id: RealServerId): void {
    this.#all.delete(id);
  }
}

function podIn(held: PodIdentity | HeldRealServer): PodIdentity {
  return typeof held === 'string' ? held : held.podUid;
}

function whole(held: PodIdentity | HeldRealServer): HeldRealServer {
  return typeof held === 'string' ? { podUid: held, state: serving } : held;
}

/** The two usual states of our real servers: serving and draining. */
const serving = usual(1);
const draining = usual(0);

function usual(weight: 0 | 1): RealServerState {
  const thresholds = { upperThreshold: 0, lowerThreshold: 0 };
  return Object.freeze({ weight, forwarding: 'masquerade', ...thresholds });
}

function stateOf(realServer: RealServer): RealServerState {
  const { weight, forwarding, upperThreshold, lowerThreshold } = realServer;
  const isUsual = forwarding === 'masquerade' && upperThreshold === 0 && lowerThreshold === 0;
  if (isUsual && weight === 1) return serving;
  if (isUsual && weight === 0) return draining;
  return { weight, forwarding, upperThreshold, lowerThreshold };
}
