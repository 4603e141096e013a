import type { IpAddress } from '../../ip/address.ts';
import {
  printRealServer,
  printVirtualServer,
  type RealServer,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';
import { DueQueue } from '../../runner/due-queue.ts';
import { unknownPod } from '../desired/pod-identity.ts';
import { RealServerMap } from '../desired/real-server-map.ts';
import type { FlowEnds } from '../flows/flow-ends.ts';
import type { DrainEnd } from '../plan/operation.ts';
import { beginning, type Progress } from './policy.ts';

/** `10.96.0.10:53/TCP/10.244.1.7:53`: the name of a real server across all virtual servers. For people; nobody parses it. */
export function uniqueRS({ virtualServer, realServer }: FlowEnds): string {
  return `${printVirtualServer(virtualServer)}/${printRealServer(realServer)}`;
}

/** A request to drain and delete a real server. */
export interface DrainRequest {
  readonly virtualServer: VirtualServerId;
  readonly realServer: RealServer;
  /** The pod that the real server was for; any pod for one that left its slices while it was ready. */
  readonly podUid: PodIdentity;
}

/** A drain that ended, and how. */
export interface EndedDrain extends DrainRequest {
  readonly end: DrainEnd;
  /** Milliseconds since it began. */
  readonly age: number;
  /** How many active connections it had when it ended, as far as they were read. */
  readonly cutConnections: number;
}

/** A real server that drains. */
export interface Drain {
  readonly request: DrainRequest;
  progress: Progress;
  /** The end, once it is decided: the drain waits for a look-up or is being deleted. */
  ending: { readonly end: DrainEnd; readonly isUrgent: boolean } | undefined;
}

/** The drains of one virtual server, which one dump serves. */
export interface DrainGroup {
  readonly virtualServer: VirtualServerId;
  readonly drains: RealServerMap<Drain>;
  /** When the youngest of them began. */
  since: number;
}

/** All drains, grouped by virtual server. */
export class DrainList {
  readonly #groups = new Map<string, DrainGroup>();
  /** The virtual servers with drains of an address, and how many each has. */
  readonly #groupsByAddress = new Map<IpAddress, Map<string, number>>();
  readonly #due = new DueQueue<DrainGroup>();
  #size = 0;
  #begun = 0;

  /** How many real servers drain. */
  get size(): number {
    return this.#size;
  }

  /** How many drains have begun, those included that have ended. */
  get begun(): number {
    return this.#begun;
  }

  /** Adds a drain that begins now. One that is on the list already keeps its progress, under the new request. Its group is due at once. */
  add(request: DrainRequest, now: number): DrainGroup {
    const key = virtualServerKey(request.virtualServer);
    const group = this.#groups.get(key) ?? {
      virtualServer: request.virtualServer,
      drains: new RealServerMap<Drain>(),
      since: now,
    };
    const present = group.drains.get(request.realServer);
    if (present === undefined) {
      this.#size++;
      this.#begun++;
      this.#count(request.realServer.address, { key, by: 1 });
    }
    const isUnknown = request.podUid === unknownPod;
    const podUid = isUnknown ? (present?.request.podUid ?? unknownPod) : request.podUid;
    const progress = present?.progress ?? beginning(now);
    const drain = {
      request: { ...request, podUid },
      progress,
      ending: undefined,
    };
    group.drains.set(request.realServer, drain);
    group.since = now;
    this.#groups.set(key, group);
    this.#due.set(group, now);
    return group;
  }

  /** The drain of a real server, if it has one. */
  find({ virtualServer, realServer }: FlowEnds): Drain | undefined {
    return this.#groups.get(virtualServerKey(virtualServer))?.drains.get(realServer);
  }

  /** Removes a drain; false if it is not on the list. */
  remove({ request: { virtualServer, realServer } }: Drain): boolean {
    const key = virtualServerKey(virtualServer);
    const group = this.#groups.get(key);
    if (group?.drains.delete(realServer) !== true) return false;
    this.#size--;
    if (group.drains.size === 0) {
      this.#groups.delete(key);
      this.#due.delete(group);
    }
    this.#count(realServer.address, { key, by: -1 });
    return true;
  }

  #count(address: IpAddress, { key, by }: { key: string; by: 1 | -1 }): void {
    const counts = this.#groupsByAddress.get(address) ?? new Map<string, number>();
    const count = (counts.get(key) ?? 0) + by;
    if (count > 0) this.#groupsByAddress.set(address, counts.set(key, count));
    else if (counts.delete(key) && counts.size === 0) this.#groupsByAddress.delete(address);
  }

  /** When the oldest drain began; `undefined` if there is none. Looks at each drain. */
  get oldest(): number | undefined {
    let oldest: number | undefined;
    for (const { progress } of this.drains())
      if (oldest === undefined || progress.started < oldest) oldest = progress.started;
    return oldest;
  }

  /** Every drain. */
  *drains(): Generator<Drain> {
    for (const { drains } of this.#groups.values()) yield* drains.values();
  }

  /** The groups with drains of an address. */
  groupsOf(address: IpAddress): readonly DrainGroup[] {
    const keys = this.#groupsByAddress.get(address)?.keys() ?? [];
    return [...keys].flatMap((key) => this.#groups.get(key) ?? []);
  }

  /** The group of a virtual server, by its key. */
  group(key: string): DrainGroup | undefined {
    return this.#groups.get(key);
  }

  /** Schedules the next decision about a group with drains; never if the time is infinite. */
  schedule(group: DrainGroup, due: number): void {
    if (group.drains.size > 0) this.#due.set(group, due);
  }

  /** Takes the group that is longest overdue, if one is due: whoever looks at it schedules it again. */
  takeDue(now: number): DrainGroup | undefined {
    return this.#due.take(now);
  }

  /** When the next group is due; infinite if none waits. */
  get nextDue(): number {
    return this.#due.next;
  }
}
