import type { IpAddress } from '../../ip/address.ts';
import type { Endpoint, EndpointSlice } from '../../kube/types.ts';

/**
 * What the slices of a namespace say of the pod behind a real server:
 *
 * - `alive`: in a slice, and not both terminating and out of service;
 * - `dying`: in a slice, terminating and not serving;
 * - `left`: in no slice any more, and well when it was last seen;
 * - `gone`: in no slice any more, and ailing when it was last seen;
 * - `unseen`: never in any slice since the program started.
 */
export type PodState = 'alive' | 'dying' | 'left' | 'gone' | 'unseen';

/** A pod, by what an endpoint says of it. */
export type PodName = Pick<Endpoint, 'address' | 'podUid'>;

/** How a pod is. */
type PodConditions = Pick<Endpoint, 'serving' | 'terminating'>;

/** A pod on one of its addresses that several slices have, as the last of them said it. */
interface SharedPod extends PodConditions {
  readonly podUid: string;
  readonly slices: Set<string>;
}

/** A pod on one of its addresses; mostly one slice has it, and its endpoint there says all. */
export type Pod = Endpoint | SharedPod;

/** A pod that is in no slice any more, and from when on that counts, in milliseconds. */
interface DepartedPod {
  readonly pod: PodConditions;
  readonly due: number;
}

/** Which pods have an address: mostly one, on a node's network many. */
type Occupants = Pod | Map<string, Pod>;

/** Which pod has an address, and how it was last seen, as the slices of one namespace say it. */
export class NamespacePods {
  /** The slices of the namespace, by name. */
  readonly slices = new Map<string, EndpointSlice>();
  readonly #present = new Map<IpAddress, Occupants>();
  /** By address, then by uid; the oldest first. */
  readonly #departed = new Map<IpAddress, Map<string, DepartedPod>>();
  #departedCount = 0;

  /** How many pods that left are remembered. */
  get departedCount(): number {
    return this.#departedCount;
  }

  get isEmpty(): boolean {
    return this.slices.size + this.#present.size + this.#departed.size === 0;
  }

  /** Whether a slice has the address. */
  has(address: IpAddress): boolean {
    return this.#present.has(address);
  }

  /** The pods that have an address. */
  on(address: IpAddress): Iterable<Pod> {
    return podsOf(this.#present.get(address));
  }

  /** Takes in that a slice has an endpoint. Whether that says anything new of its pod. */
  arrive(endpoint: Endpoint): boolean {
    const { address, podUid, slice, serving, terminating } = endpoint;
    const occupants = this.#present.get(address);
    const known = find(occupants, podUid);
    if (known === undefined) this.#return(address, podUid);
    const isOnly = known === undefined || ('slice' in known && known.slice === slice);
    const slices = isOnly ? undefined : slicesOf(known).add(slice);
    const pod = slices === undefined ? endpoint : { podUid, slices, serving, terminating };
    this.#present.set(address, withPod(occupants, pod));
    return known?.serving !== serving || known.terminating !== terminating;
  }

  /** Takes in that a slice no longer has an endpoint. Whether its pod is in no slice any more, which counts from a time on. */
  leave(slice: string, { address, podUid, due }: PodName & { readonly due: number }): boolean {
    const occupants = this.#present.get(address);
    const pod = find(occupants, podUid);
    if (pod === undefined || !isInSlice(pod, slice)) return false;
    if ('slices' in pod && pod.slices.size > 1) {
      pod.slices.delete(slice);
      return false;
    }
    if (occupants instanceof Map && occupants.size > 1) occupants.delete(podUid);
    else this.#present.delete(address);
    const departed = this.#departed.get(address) ?? new Map<string, DepartedPod>();
    // Last, as the youngest.
    this.#departed.delete(address);
    this.#departed.set(address, departed.set(podUid, { pod, due }));
    this.#departedCount++;
    return true;
  }

  /** How a pod is; with an unknown uid, how whoever has its address is. */
  state({ address, podUid }: PodName, now: number): PodState {
    const occupants = this.#present.get(address);
    const departed = this.#departed.get(address);
    if (podUid === '') return stateOfAny(occupants, { departed, now });
    const pod = find(occupants, podUid) ?? find(occupants, '');
    if (pod !== undefined) return stateInSlice(pod);
    const left = departed?.get(podUid) ?? departed?.get('');
    return left === undefined ? 'left' : stateOfDeparted(left, now);
  }

  /** Forgets the older half of the pods that left. */
  forgetDeparted(): void {
    const wanted = Math.floor(this.#departedCount / 2);
    for (const [address, pods] of this.#departed) {
      if (this.#departedCount <= wanted) return;
      this.#departedCount -= pods.size;
      this.#departed.delete(address);
    }
  }

  #return(address: IpAddress, podUid: string): void {
    const departed = this.#departed.get(address);
    if (departed?.delete(podUid) !== true) return;
    this.#departedCount--;
    if (departed.size === 0) this.#departed.delete(address);
  }
}

/** The names of the slices that have a pod. */
function slicesOf(pod: Pod): Set<string> {
  return 'slices' in pod ? pod.slices : new Set([pod.slice]);
}

function isInSlice(pod: Pod, slice: string): boolean {
  return 'slices' in pod ? pod.slices.has(slice) : pod.slice === slice;
}

/** The pods on an address with one more, or with one in the place of what it was before. */
function withPod(occupants: Occupants | undefined, pod: Pod): Occupants {
  if (occupants instanceof Map) return occupants.set(pod.podUid, pod);
  if (occupants === undefined || occupants.podUid === pod.podUid) return pod;
  return new Map([occupants, pod].map((some) => [some.podUid, some]));
}

function find(occupants: Occupants | undefined, podUid: string): Pod | undefined {
  if (occupants instanceof Map) return occupants.get(podUid);
  return occupants?.podUid === podUid ? occupants : undefined;
}

function podsOf(occupants: Occupants | undefined): Iterable<Pod> {
  if (occupants instanceof Map) return occupants.values();
  return occupants === undefined ? [] : [occupants];
}

function stateInSlice({ serving, terminating }: PodConditions): PodState {
  return terminating && !serving ? 'dying' : 'alive';
}

function stateOfDeparted({ pod, due }: DepartedPod, now: number): PodState {
  if (due > now) return stateInSlice(pod);
  return pod.terminating || !pod.serving ? 'gone' : 'left';
}

/** Several uids prove nothing: as long as one is alive, and as long as it is not known which of them left. */
function stateOfAny(
  occupants: Occupants | undefined,
  { departed, now }: { departed: ReadonlyMap<string, DepartedPod> | undefined; now: number },
): PodState {
  if (occupants !== undefined) {
    for (const pod of podsOf(occupants)) if (stateInSlice(pod) === 'alive') return 'alive';
    return 'dying';
  }
  if (departed === undefined) return 'unseen';
  const [last] = departed.values();
  return last === undefined || departed.size > 1 ? 'left' : stateOfDeparted(last, now);
}
