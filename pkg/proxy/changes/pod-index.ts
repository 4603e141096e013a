import type { IpAddress } from '../../ip/address.ts';
import type {
  Endpoint,
  EndpointSlice,
  ObjectName,
  PodIdentity,
  Service,
} from '../../kube/types.ts';
import { DueQueue } from '../../runner/due-queue.ts';
import { unknownPod } from '../desired/pod-identity.ts';
import { NamespacePods, type Pod, type PodName, type PodState } from './namespace-pods.ts';
import { recordsOnlyIn } from './slice-difference.ts';

/** How many pods that left are remembered. */
const remembered = 100_000;
/** How long a pod that is in no slice counts as moving to another one, in milliseconds. */
const movingTime = 500;
/** How many pods of one address are searched at most for the one of a Service. */
const lookedThrough = 64;

/** A Service, for the question which pods are its own. */
type ServiceName = Pick<Service, 'namespace' | 'key'>;

/**
 * Which pod has an address, and its last conditions. A slice counts only for the Services of its own namespace: who may write
 * slices in another one can neither end nor prolong their drains.
 */
export class Pods {
  readonly #now: () => number;
  readonly #memory: number;
  #onChange: (address: IpAddress, namespace: string) => void = () => undefined;
  readonly #namespaces = new Map<string, NamespacePods>();
  /** Departures that do not count yet, as the pod may be in another slice soon. */
  readonly #moving = new DueQueue<{ address: IpAddress; namespace: string }>();
  #departedCount = 0;

  /** Beyond `memory` pods that left, the namespace with the most of them forgets the older half of its own. */
  constructor(now: () => number, { memory = remembered } = {}) {
    this.#now = now;
    this.#memory = memory;
  }

  /** Sets the callback for each pod whose state has changed or may have. There is only one. */
  watch(onChange: (address: IpAddress, namespace: string) => void): void {
    this.#onChange = onChange;
  }

  /** When the next departure counts; infinite if none waits. */
  get nextExpiry(): number {
    return this.#moving.next;
  }

  /** Reports the departures that count from now on. */
  expire(): void {
    for (const { address, namespace } of this.#moving.takeAll(this.#now()))
      this.#onChange(address, namespace);
  }

  /** The last state of a slice; `undefined` if there is none. */
  slice({ namespace, name }: ObjectName): EndpointSlice | undefined {
    return this.#namespaces.get(namespace)?.slices.get(name);
  }

  /** Records a new state of a slice. */
  set(slice: EndpointSlice): void {
    const { namespace, endpoints } = slice;
    const last = this.slice(slice)?.endpoints ?? [];
    const left = leftOf(last, slice);
    const fresh = recordsOnlyIn(endpoints, last);
    let changed: Set<IpAddress> | undefined;
    this.#change(namespace, (pods) => {
      pods.slices.set(slice.name, slice);
      this.#leave(left, { name: slice, pods });
      for (const endpoint of fresh)
        if (pods.arrive(endpoint)) (changed ??= new Set()).add(endpoint.address);
    });
    changed?.forEach((address) => this.#onChange(address, namespace));
  }

  /** Forgets a slice. */
  delete(name: ObjectName): void {
    const last = this.slice(name);
    if (last === undefined) return;
    this.#change(name.namespace, (pods) => {
      pods.slices.delete(name.name);
      this.#leave(last.endpoints, { name, pods });
    });
  }

  /** The state of a pod by the slices of a namespace. Without a namespace (the owner is unknown): `alive` if any slice has the address. */
  state(namespace: string | undefined, pod: PodName): PodState {
    if (namespace !== undefined)
      return (this.#namespaces.get(namespace) ?? unknown).state(pod, this.#now());
    for (const pods of this.#namespaces.values()) if (pods.has(pod.address)) return 'alive';
    return 'unseen';
  }

  /** Whether a slice of a Service has an address. */
  isIn(service: ServiceName, address: IpAddress): boolean {
    for (const pod of this.#namespaces.get(service.namespace)?.on(address) ?? [])
      if (this.#isOf(service, pod)) return true;
    return false;
  }

  /** The uid of the pod that has an address in a Service's slices; the unknown one if there is none, or more than one. */
  uidOn(service: ServiceName, address: IpAddress): PodIdentity {
    let found: PodIdentity | undefined;
    let count = 0;
    for (const pod of this.#namespaces.get(service.namespace)?.on(address) ?? []) {
      if (++count > lookedThrough) return unknownPod;
      if (!this.#isOf(service, pod)) continue;
      if (found !== undefined) return unknownPod;
      found = pod.podUid;
    }
    return found ?? unknownPod;
  }

  /** Whether a slice of the Service contains the pod. */
  #isOf({ namespace, key }: ServiceName, pod: Pod): boolean {
    const slices = this.#namespaces.get(namespace)?.slices;
    const isOf = (name: string) => slices?.get(name)?.serviceKey === key;
    return 'slices' in pod ? [...pod.slices].some(isOf) : isOf(pod.slice);
  }

  #leave(
    endpoints: readonly PodName[],
    { name: { namespace, name }, pods }: { name: ObjectName; pods: NamespacePods },
  ): void {
    const due = this.#now() + movingTime;
    for (const { address, podUid } of endpoints)
      if (pods.leave(name, { address, podUid, due })) this.#moving.set({ address, namespace }, due);
  }

  /** Changes the pods of a namespace, and forgets departed pods if there are too many. */
  #change(namespace: string, change: (pods: NamespacePods) => void): void {
    const pods = this.#namespaces.get(namespace) ?? new NamespacePods();
    const before = pods.departedCount;
    this.#namespaces.set(namespace, pods);
    change(pods);
    this.#departedCount += pods.departedCount - before;
    if (pods.isEmpty) this.#namespaces.delete(namespace);
    if (this.#departedCount > this.#memory) this.#forgetDeparted();
  }

  /** The namespace with the most departed pods forgets half of them, so that one namespace cannot make the others forget theirs. */
  #forgetDeparted(): void {
    let most = new NamespacePods();
    for (const pods of this.#namespaces.values())
      if (pods.departedCount > most.departedCount) most = pods;
    const before = most.departedCount;
    most.forgetDeparted();
    this.#departedCount -= before - most.departedCount;
  }
}

/** The pods of a namespace without slices. */
const unknown = new NamespacePods();

/** The pods of a slice's last state that its new state does not have. A pod may be in a slice twice. */
function leftOf(last: readonly Endpoint[], { endpoints }: EndpointSlice): readonly PodName[] {
  const gone = recordsOnlyIn(last, endpoints);
  if (gone.length === 0) return gone;
  const present = Map.groupBy(endpoints, ({ address }) => address);
  return gone.filter(
    ({ address, podUid }) => present.get(address)?.some((some) => some.podUid === podUid) !== true,
  );
}
