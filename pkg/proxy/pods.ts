import type { IpAddress } from '../ip/address.ts';
import type { Endpoint, EndpointSlice, ObjectName } from '../kube/types.ts';
import { objectKey } from './service.ts';

/**
 * What the slices say of the pod behind a real server:
 *
 * - `alive`: in a slice, and not both terminating and out of service;
 * - `dying`: in a slice, terminating and not serving;
 * - `left`: in no slice any more, and well when it was last seen;
 * - `gone`: in no slice any more, and ailing when it was last seen;
 * - `succeeded`: gone, and another pod has its address;
 * - `unseen`: never in any slice since the program started.
 */
export type PodState = 'alive' | 'dying' | 'left' | 'gone' | 'succeeded' | 'unseen';

interface Pod {
  readonly uid: string;
  readonly address: IpAddress;
  /** Which slices have it. */
  slices: readonly string[];
  serving: boolean;
  terminating: boolean;
  /** Another pod came to its address while it terminated: it has lost the address already. */
  isSucceeded: boolean;
}

/** A pod that is in no slice any more, and when that counts, in milliseconds. */
interface DepartedPod {
  readonly pod: Pod;
  /** Who was on its address as it left: pods on the host's network share one. */
  readonly neighbours: ReadonlySet<string>;
  readonly due: number;
}

/** How many pods that left are remembered; the oldest are forgotten first. */
const remembered = 20_000;
/** How long a pod that is in no slice counts as moving to another one, in milliseconds. */
const movingTime = 500;

/** One index over all slices, whatever Service they belong to: which pod has an address, and how it was last seen. */
export class Pods {
  readonly #onChange: (address: IpAddress) => void;
  /** Pods by address: one pod may have two, and pods on the host's network share one. Mostly there is one pod, in one slice. */
  readonly #present = new Map<IpAddress, readonly Pod[]>();
  readonly #departed = new Map<string, DepartedPod>();
  /** Departures that do not count yet, the earliest first. */
  #moving: DepartedPod[] = [];
  readonly #slices = new Map<string, readonly Endpoint[]>();

  readonly #now: () => number;

  /** @param onChange called with the address of a pod whose state has changed for the worse, or may have */
  constructor(now: () => number, onChange: (address: IpAddress) => void) {
    this.#now = now;
    this.#onChange = onChange;
  }

  /** When the next pod counts as having left, or `undefined` if none is about to. */
  get nextExpiry(): number | undefined {
    return this.#moving[0]?.due;
  }

  /** Lets those departures count that are old enough. */
  expire(): void {
    const now = this.#now();
    const due = this.#moving.filter((departed) => departed.due <= now);
    this.#moving = this.#moving.filter((departed) => departed.due > now);
    for (const { pod } of due) this.#onChange(pod.address);
  }

  /** Takes in a slice in place of its last state. */
  set(slice: EndpointSlice): void {
    const key = objectKey(slice);
    const last = this.#slices.get(key) ?? [];
    this.#slices.set(key, slice.endpoints);
    const kept = new Set(slice.endpoints.map(podKey));
    for (const endpoint of last) if (!kept.has(podKey(endpoint))) this.#leave(key, endpoint);
    for (const endpoint of slice.endpoints) this.#arrive(key, endpoint);
  }

  /** Forgets a slice. */
  delete(name: ObjectName): void {
    const key = objectKey(name);
    const last = this.#slices.get(key) ?? [];
    this.#slices.delete(key);
    for (const endpoint of last) this.#leave(key, endpoint);
  }

  /** How a pod is; with an unknown uid, how whoever has its address is. */
  state(address: IpAddress, podUid: string): PodState {
    const here = this.#present.get(address);
    const pod = podUid === '' ? here?.[0] : (find(here, podUid) ?? find(here, ''));
    if (pod !== undefined) return pod.isSucceeded ? 'succeeded' : stateInSlice(pod);
    const departed =
      this.#departed.get(podKey({ address, podUid })) ??
      this.#departed.get(podKey({ address, podUid: '' }));
    if (podUid !== '' && here !== undefined && !isSharing(departed, here)) return 'succeeded';
    if (departed === undefined) return podUid === '' ? 'unseen' : 'left';
    if (departed.due > this.#now()) return stateInSlice(departed.pod);
    return departed.pod.terminating || !departed.pod.serving ? 'gone' : 'left';
  }

  /** The uid of the pod that has an address; '' if no pod has, or more than one. */
  uidOn(address: IpAddress): string {
    const [only, ...others] = this.#present.get(address) ?? [];
    return only === undefined || others.length > 0 ? '' : only.uid;
  }

  #arrive(slice: string, { address, podUid, serving, terminating }: Endpoint): void {
    const pods = this.#present.get(address) ?? [];
    const known = find(pods, podUid);
    if (known === undefined) {
      this.#departed.delete(podKey({ address, podUid }));
      for (const other of pods)
        other.isSucceeded ||= other.terminating && other.uid !== '' && podUid !== '';
      const [uid, slices, isSucceeded] = [podUid, [slice], false];
      const pod = { uid, address, slices, serving, terminating, isSucceeded };
      // Unlike a list that was pushed or spread to, one that was joined has no room for a dozen more.
      this.#present.set(address, pods.concat(pod));
    } else {
      if (!known.slices.includes(slice)) known.slices = [...known.slices, slice];
      if (known.serving === serving && known.terminating === terminating) return;
      known.serving = serving;
      known.terminating = terminating;
    }
    this.#onChange(address);
  }

  #leave(slice: string, { address, podUid }: Endpoint): void {
    const pods = this.#present.get(address);
    const pod = find(pods, podUid);
    if (pods === undefined || !pod?.slices.includes(slice)) return;
    pod.slices = pod.slices.filter((other) => other !== slice);
    if (pod.slices.length > 0) return;
    const others = pods.filter((other) => other !== pod);
    if (others.length === 0) this.#present.delete(address);
    else this.#present.set(address, others);
    const neighbours = new Set(others.map(({ uid }) => uid));
    const departed = { pod, neighbours, due: this.#now() + movingTime };
    this.#departed.set(podKey({ address, podUid }), departed);
    this.#moving.push(departed);
    if (this.#departed.size > remembered) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const [oldest] = this.#departed.keys();
    if (oldest !== undefined) this.#departed.delete(oldest);
  }
}

function find(pods: readonly Pod[] | undefined, podUid: string): Pod | undefined {
  return pods?.find(({ uid }) => uid === podUid);
}

function stateInSlice({ serving, terminating }: Pod): PodState {
  return terminating && !serving ? 'dying' : 'alive';
}

/** Whether those that have a departed pod's address now were there beside it, while it was well. */
function isSharing(departed: DepartedPod | undefined, here: readonly Pod[]): boolean {
  if (departed === undefined) return false;
  const { pod, neighbours } = departed;
  return pod.serving && !pod.terminating && here.every(({ uid }) => neighbours.has(uid));
}

function podKey({
  address,
  podUid,
}: {
  readonly address: IpAddress;
  readonly podUid: string;
}): string {
  return `${address} ${podUid}`;
}
