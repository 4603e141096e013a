import type { RealServer, RealServerId } from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';
import { anyPod, unknownPod } from '../desired/pod-identity.ts';
import { RealServerMap } from '../desired/real-server-map.ts';
import {
  draining,
  type PodAddress,
  type RealServerState,
  serving,
} from '../desired/real-servers.ts';
import { hasOtherState } from './other-state.ts';

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
  record(realServer: RealServer, pod: PodIdentity): void {
    const state = stateOf(realServer);
    const podUid = knownPodOf({ podUid: pod });
    this.#all.set(realServer, state === serving ? podUid : { podUid, state });
  }

  /** Records real servers that differ in nothing but their addresses and pods. */
  recordAlike(
    realServers: readonly PodAddress[],
    { port, state }: { readonly port: number; readonly state: RealServerState },
  ): void {
    const heldAs =
      state === serving
        ? knownPodOf
        : (one: PodAddress): HeldRealServer => ({ podUid: knownPodOf(one), state });
    this.#all.setAll(port, realServers, heldAs);
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

/** The pod that a real server is held for: any pod is none in particular. */
function knownPodOf({ podUid }: { readonly podUid: PodIdentity }): PodIdentity {
  return podUid === anyPod ? unknownPod : podUid;
}

function podIn(held: PodIdentity | HeldRealServer): PodIdentity {
  return typeof held === 'string' ? held : held.podUid;
}

function whole(held: PodIdentity | HeldRealServer): HeldRealServer {
  return typeof held === 'string' ? { podUid: held, state: serving } : held;
}

/** The same object for each of the two usual states. */
function stateOf(realServer: RealServer): RealServerState {
  if (!hasOtherState(realServer, serving)) return serving;
  if (!hasOtherState(realServer, draining)) return draining;
  const { weight, forwarding, upperThreshold, lowerThreshold } = realServer;
  return { weight, forwarding, upperThreshold, lowerThreshold };
}
