import type { RealServer, RealServerId } from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';
import { anyPod, unknownPod } from '../desired/pod-identity.ts';
import { RealServerMap } from '../desired/real-server-map.ts';
import {
  draining,
  findAddress,
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

/** What is kept of a held real server. Of one in the usual state that is only the pod, as there may be 250,000. */
type Kept = PodIdentity | HeldRealServer;

/** Up to so many real servers stay a list, which is looked through one by one. */
const few = 16;

const none: readonly never[] = Object.freeze([]);

/**
 * The real servers of a virtual server that the kernel holds. Few of them that were added together in the usual state stay the list
 * that they were added with, which may be the slice's own, until one of them changes. Others are a table.
 */
export class HeldRealServerMap implements HeldRealServers {
  #listPort = 0;
  #list: readonly PodAddress[] = none;
  /** `undefined` while all are in the list. */
  #table: RealServerMap<Kept> | undefined;

  get size(): number {
    return this.#table?.size ?? this.#list.length;
  }

  get(id: RealServerId): HeldRealServer | undefined {
    const kept = this.#keptOf(id);
    return kept === undefined ? undefined : whole(kept);
  }

  has(id: RealServerId): boolean {
    return this.#keptOf(id) !== undefined;
  }

  /** Whether some real servers are held in their states, and no others. */
  holdsOnly(realServers: readonly RealServer[]): boolean {
    const isHeld = (one: RealServer) => {
      const kept = this.#keptOf(one);
      return kept !== undefined && !hasOtherState(stateIn(kept), one);
    };
    return realServers.length === this.size && realServers.every(isHeld);
  }

  forEach(visit: (held: HeldRealServer, id: RealServerId) => void): void {
    this.#forEachKept((kept, id) => visit(whole(kept), id));
  }

  *[Symbol.iterator](): Generator<readonly [RealServerId, HeldRealServer]> {
    if (this.#table !== undefined) {
      for (const [id, kept] of this.#table) yield [id, whole(kept)];
      return;
    }
    const port = this.#listPort;
    for (const one of this.#list)
      yield [{ address: one.address, port }, whole(knownPodOf(one.podUid))];
  }

  podOf(id: RealServerId): PodIdentity | undefined {
    const kept = this.#keptOf(id);
    return kept === undefined ? undefined : podIn(kept);
  }

  forEachOf(pod: PodIdentity, visit: (id: RealServerId) => void): void {
    this.#forEachKept((kept, id) => {
      if (podIn(kept) === pod) visit(id);
    });
  }

  /** Records the state and the pod of a held real server. */
  record(realServer: RealServer, pod: PodIdentity): void {
    this.#inTable().set(realServer, keptOf(pod, stateOf(realServer)));
  }

  /** Records real servers that differ in nothing but their addresses and pods. Their list must not change afterwards. */
  recordAlike(
    realServers: readonly PodAddress[],
    { port, state }: { readonly port: number; readonly state: RealServerState },
  ): void {
    if (state === serving && realServers.length <= few && this.size === 0) {
      this.#table = undefined;
      this.#listPort = port;
      this.#list = realServers;
    } else this.#inTable().setAll(port, realServers, ({ podUid }) => keptOf(podUid, state));
  }

  /** Records the pod of a real server, if it is held. */
  recordPod(id: RealServerId, podUid: PodIdentity): void {
    const held = this.get(id);
    if (held !== undefined) this.#inTable().set(id, keptOf(podUid, held.state));
  }

  /** Records that a real server is no longer held. */
  delete(id: RealServerId): void {
    this.#inTable().delete(id);
  }

  #keptOf(id: RealServerId): Kept | undefined {
    if (this.#table !== undefined) return this.#table.get(id);
    if (id.port !== this.#listPort) return undefined;
    const found = findAddress(this.#list, id);
    return found && knownPodOf(found.podUid);
  }

  #forEachKept(visit: (kept: Kept, id: RealServerId) => void): void {
    // Not both, as a visit may change one, and with it the list into a table.
    if (this.#table !== undefined) {
      this.#table.forEach(visit);
      return;
    }
    const port = this.#listPort;
    for (const { address, podUid } of this.#list) visit(knownPodOf(podUid), { address, port });
  }

  /** The table, in which all are from now on. */
  #inTable(): RealServerMap<Kept> {
    if (this.#table !== undefined) return this.#table;
    const table = new RealServerMap<Kept>();
    table.setAll(this.#listPort, this.#list, ({ podUid }) => knownPodOf(podUid));
    this.#list = none;
    this.#table = table;
    return table;
  }
}

function keptOf(pod: PodIdentity, state: RealServerState): Kept {
  const podUid = knownPodOf(pod);
  return state === serving ? podUid : { podUid, state };
}

/** The pod that a real server is held for: any pod is none in particular. */
function knownPodOf(pod: PodIdentity): PodIdentity {
  return pod === anyPod ? unknownPod : pod;
}

function podIn(kept: Kept): PodIdentity {
  return typeof kept === 'string' ? kept : kept.podUid;
}

function stateIn(kept: Kept): RealServerState {
  return typeof kept === 'string' ? serving : kept.state;
}

function whole(kept: Kept): HeldRealServer {
  return typeof kept === 'string' ? { podUid: kept, state: serving } : kept;
}

/** The same object for each of the two usual states. */
function stateOf(realServer: RealServer): RealServerState {
  if (!hasOtherState(realServer, serving)) return serving;
  if (!hasOtherState(realServer, draining)) return draining;
  const { weight, forwarding, upperThreshold, lowerThreshold } = realServer;
  return { weight, forwarding, upperThreshold, lowerThreshold };
}
