import type { IpAddress } from '../../ip/address.ts';
import type { Endpoint, EndpointSlice, ObjectName } from '../../kube/types.ts';
import { ExpiryQueue } from './expiry-queue.ts';
import { NamespacePods, type Pod, type PodName, type PodState } from './namespace-pods.ts';
import { recordsOnlyIn } from './slice-difference.ts';

/** How many pods that left are remembered; beyond it the namespace with the most forgets the older half of its own. */
const remembered = 100_000;
/** How long a pod that is in no slice counts as moving to another one, in milliseconds. */
const movingTime = 500;
/** Of so many pods on one address the one of a Service is looked for. */
const lookedThrough = 64;

/**
 * Which pod has an address, and how it was last seen. A slice speaks for the Services of its own namespace only: whoever may
 * write slices in another one can neither end nor keep their drains.
 */
export class Pods {
  readonly #now: () => number;
  #onChange: (address: IpAddress, namespace: string) => void = () => undefined;
  readonly #namespaces = new Map<string, NamespacePods>();
  /** Departures that do not count yet. */
  readonly #moving = new ExpiryQueue<{ address: IpAddress; namespace: string }>();
  #departedCount = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Calls back with the address and namespace of each pod whose state has changed, or may have; for one who watches. */
  watch(onChange: (address: IpAddress, namespace: string) => void): void {
    this.#onChange = onChange;
  }

  /** When the next pod counts as having left, or `undefined` if none is about to. */
  get nextExpiry(): number | undefined {
    return this.#moving.next;
  }

  /** Lets those departures count that are old enough. */
  expire(): void {
    for (const { address, namespace } of this.#moving.take(this.#now()))
      this.#onChange(address, namespace);
  }

  /** A slice as it was taken in last; `undefined` if there is none. */
  slice({ namespace, name }: ObjectName): EndpointSlice | undefined {
    return this.#namespaces.get(namespace)?.slices.get(name);
  }

  /** Takes in a slice in place of its last state. */
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

  /** How a pod is as its namespace has it. Without a namespace (nobody knows whose the server is) only whether any slice has the address. */
  state(namespace: string | undefined, pod: PodName): PodState {
    if (namespace !== undefined)
      return (this.#namespaces.get(namespace) ?? unknown).state(pod, this.#now());
    for (const pods of this.#namespaces.values()) if (pods.has(pod.address)) return 'alive';
    return 'unseen';
  }

  /** Whether a slice of a Service has an address. */
  isIn(service: ObjectName, address: IpAddress): boolean {
    for (const pod of this.#namespaces.get(service.namespace)?.on(address) ?? [])
      if (this.#isOf(service, pod)) return true;
    return false;
  }

  /** The uid of the pod that has an address as a Service's slices say it; '' if none has, or more than one. */
  uidOn(service: ObjectName, address: IpAddress): string {
    let found: string | undefined;
    let count = 0;
    for (const pod of this.#namespaces.get(service.namespace)?.on(address) ?? []) {
      if (++count > lookedThrough) return '';
      if (!this.#isOf(service, pod)) continue;
      if (found !== undefined) return '';
      found = pod.podUid;
    }
    return found ?? '';
  }

  /** Whether one of the slices that have a pod is a Service's. */
  #isOf({ namespace, name: service }: ObjectName, pod: Pod): boolean {
    const slices = this.#namespaces.get(namespace)?.slices;
    const isOf = (name: string) => slices?.get(name)?.serviceName === service;
    return 'slices' in pod ? [...pod.slices].some(isOf) : isOf(pod.slice);
  }

  #leave(
    endpoints: readonly PodName[],
    { name: { namespace, name }, pods }: { name: ObjectName; pods: NamespacePods },
  ): void {
    const due = this.#now() + movingTime;
    for (const { address, podUid } of endpoints)
      if (pods.leave(name, { address, podUid, due })) this.#moving.add({ address, namespace }, due);
  }

  /** Changes what is known of a namespace, and lets pods that left be forgotten where they are too many. */
  #change(namespace: string, change: (pods: NamespacePods) => void): void {
    const pods = this.#namespaces.get(namespace) ?? new NamespacePods();
    const before = pods.departedCount;
    this.#namespaces.set(namespace, pods);
    change(pods);
    this.#departedCount += pods.departedCount - before;
    if (pods.isEmpty) this.#namespaces.delete(namespace);
    if (this.#departedCount > remembered) this.#forgetDeparted();
  }

  /** Who has the most loses half of them, so that one namespace cannot make the others forget theirs. */
  #forgetDeparted(): void {
    let most = new NamespacePods();
    for (const pods of this.#namespaces.values())
      if (pods.departedCount > most.departedCount) most = pods;
    const before = most.departedCount;
    most.forgetDeparted();
    this.#departedCount -= before - most.departedCount;
  }
}

/** What a namespace knows that has no slices. */
const unknown = new NamespacePods();

/** The pods of a slice's last state that it no longer has. A pod may stand there twice. */
function leftOf(last: readonly Endpoint[], { endpoints }: EndpointSlice): readonly PodName[] {
  const gone = recordsOnlyIn(last, endpoints);
  if (gone.length === 0) return gone;
  const present = Map.groupBy(endpoints, ({ address }) => address);
  return gone.filter(
    ({ address, podUid }) => present.get(address)?.some((some) => some.podUid === podUid) !== true,
  );
}
