import type { IpAddress } from '../../ip/address.ts';
import type { Endpoint, EndpointSlice, PodIdentity } from '../../kube/types.ts';
import { unknownPod } from '../desired/pod-identity.ts';

/**
 * The state of the pod behind a real server, by the slices of its namespace:
 *
 * - `alive`: in a slice, and not both terminating and out of service;
 * - `dying`: in a slice, terminating and not serving;
 * - `left`: in no slice any more, and ready to serve when it was last seen;
 * - `gone`: in no slice any more, and terminating or not serving when it was last seen;
 * - `unseen`: never in any slice since the program started.
 */
export type PodState = 'alive' | 'dying' | 'left' | 'gone' | 'unseen';

/** A pod, identified by the address and uid of an endpoint. */
export type PodName = Pick<Endpoint, 'address' | 'podUid'>;

/** The conditions of a pod. */
type PodConditions = Pick<Endpoint, 'serving' | 'terminating'>;

/** A pod with one of its addresses, in several slices, with the conditions that the last of them had. */
interface SharedPod extends PodConditions {
  readonly podUid: PodIdentity;
  readonly slices: Set<string>;
}

/** A pod with one of its addresses. Mostly one slice has it; then it is the slice's own endpoint. */
export type Pod = Endpoint | SharedPod;

/** A pod that is in no slice any more, and the time from which that counts, in milliseconds. */
interface DepartedPod {
  readonly pod: PodConditions;
  readonly due: number;
}

/** The pods with one address: mostly one, many on a node's own network. */
type Occupants = Pod | Map<PodIdentity, Pod>;

/** Which pod has an address, and its last conditions, by the slices of one namespace. */
export class NamespacePods {
  /** The slices of the namespace, by name. */
  readonly slices = new Map<string, EndpointSlice>();
  readonly #present = new Map<IpAddress, Occupants>();
  /** By address, then by uid; the oldest addresses first. */
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

  /** Records that a slice has an endpoint. Whether that changes the state of its pod. */
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

  /** Records that a slice no longer has an endpoint. Whether its pod is in no slice any more; that counts from `due` on. */
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
    // Moved to the end, as the youngest.
    this.#departed.delete(address);
    this.#departed.set(address, departed.set(podUid, { pod, due }));
    this.#departedCount++;
    return true;
  }

  /** The state of a pod; with an unknown uid, of whatever pod has the address. */
  state({ address, podUid }: PodName, now: number): PodState {
    const occupants = this.#present.get(address);
    const departed = this.#departed.get(address);
    if (podUid === unknownPod) return stateOfAny(occupants, { departed, now });
    const pod = find(occupants, podUid) ?? find(occupants, unknownPod);
    if (pod !== undefined) return stateInSlice(pod);
    const left = departed?.get(podUid) ?? departed?.get(unknownPod);
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

  #return(address: IpAddress, podUid: PodIdentity): void {
    const departed = this.#departed.get(address);
    if (departed?.delete(podUid) !== true) return;
    this.#departedCount--;
    if (departed.size === 0) this.#departed.delete(address);
  }
}

/** The names of the slices that contain a pod. */
function slicesOf(pod: Pod): Set<string> {
  return 'slices' in pod ? pod.slices : new Set([pod.slice]);
}

function isInSlice(pod: Pod, slice: string): boolean {
  return 'slices' in pod ? pod.slices.has(slice) : pod.slice === slice;
}

/** The pods of an address with one added or replaced. */
function withPod(occupants: Occupants | undefined, pod: Pod): Occupants {
  if (occupants instanceof Map) return occupants.set(pod.podUid, pod);
  if (occupants === undefined || occupants.podUid === pod.podUid) return pod;
  return new Map([occupants, pod].map((some) => [some.podUid, some]));
}

function find(occupants: Occupants | undefined, podUid: PodIdentity): Pod | undefined {
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

/** The state for an unknown uid: `alive` if any pod of the address is. `left` if several pods left, as any of them may be the one. */
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
