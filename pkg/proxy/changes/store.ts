import type { IpAddress } from '../../ip/address.ts';
import { objectKey } from '../../kube/object-key.ts';
import type {
  Change,
  Endpoint,
  EndpointSlice,
  Kind,
  Node,
  ObjectName,
  Service,
} from '../../kube/types.ts';
import { DueQueue } from '../../runner/due-queue.ts';
import { CompactMap } from '../desired/compact-map.ts';
import type { ServiceObjects } from '../desired/footprint.ts';
import { Groups } from '../desired/groups.ts';
import { Pods } from './pod-index.ts';
import { ChangeCollector, noChanges, type ServiceChanges } from './service-changes.ts';
import { recordsOnlyIn, withKnownRecords } from './slice-difference.ts';
import { type Trigger, Triggers } from './triggers.ts';

/** How long an endpoint that is in no slice any more counts as moving to another one, in milliseconds. */
const vanishTime = 500;

/** How many Services are checked before the event loop may turn. */
const markedAtOnce = 2_000;

/** Endpoints that left a slice of a Service and may come back. */
interface Vanished {
  readonly service: string;
  readonly slice: EndpointSlice;
}

/** The Services that changed since the last call, and the causes. */
export interface DirtyServices {
  /** `namespace/name`, of deleted Services too. */
  readonly services: ReadonlySet<string>;
  readonly triggers: readonly Trigger[];
}

/** The reduced objects of the API, and which Services changed. A change of a Service or slice marks its own Service only. */
export class Store {
  readonly #services = new Map<string, Service>();
  /** Slices by Service. */
  readonly #slices = new Groups<string, EndpointSlice>({
    several: CompactMap,
    isKeyOf: (name, slice) => slice.name === name,
    keyOf: ({ name }) => name,
  });
  readonly #vanished = new Map<string, Set<Vanished>>();
  readonly #vanishing = new DueQueue<Vanished>();
  readonly #now: () => number;
  readonly #pods: Pods;
  readonly #triggers: Triggers;
  #dirty = new Set<string>();
  /** The changes of each Service since it was entered last. */
  readonly #changes = new Map<string, ChangeCollector>();
  /** The marking that is under way. */
  #marking: Iterator<undefined> | undefined;
  #node: Node | undefined;
  #lastNode: Node | undefined;

  /**
   * @param now Returns milliseconds of a clock that never goes back.
   * @param options `pods` gets every slice too. Changes caused before `startTime`, in milliseconds since 1970, have no trigger.
   */
  constructor(
    now: () => number,
    { pods, startTime = 0 }: { pods?: Pods; startTime?: number } = {},
  ) {
    this.#now = now;
    this.#pods = pods ?? new Pods(now);
    this.#triggers = new Triggers(startTime);
  }

  /** This node's Node, or `undefined` if there is none. */
  get node(): Node | undefined {
    return this.#node;
  }

  /** The last state of this node's Node. It stays when the Node is deleted; `undefined` before the first. */
  get lastNode(): Node | undefined {
    return this.#lastNode;
  }

  get serviceCount(): number {
    return this.#services.size;
  }

  /** Applies a `set` or `delete`; other changes are ignored. */
  apply(change: Change): void {
    // Before the first sync nothing else removes expired endpoints, and they would pile up.
    this.expire();
    if (change.type === 'delete') this.#delete(change.kind, change.name);
    else if (change.type === 'set') this.#set(change);
  }

  /** The keys of all Services, in no certain order. */
  serviceKeys(): Iterable<string> {
    return this.#services.keys();
  }

  /** A Service by its key, or `undefined` if there is none. */
  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  /** The changes of a Service since the last call. If the caller cannot enter them, it calls {@link markWhole}. */
  takeChanges(key: string): ServiceChanges {
    const collector = this.#changes.get(key);
    if (collector === undefined) return noChanges;
    this.#changes.delete(key);
    return collector.changes((name) => this.#slices.get(key, name));
  }

  /** Marks a Service to be entered as a whole the next time. */
  markWhole(key: string): void {
    this.#change(key).allChanged();
  }

  /** The objects of one Service, or `undefined` if there is no such Service. */
  objects(key: string): ServiceObjects | undefined {
    const service = this.#services.get(key);
    if (service === undefined) return undefined;
    const vanished = this.#vanished.get(key);
    return {
      service,
      slices: this.#slices.of(key),
      vanished: vanished === undefined ? [] : Array.from(vanished, ({ slice }) => slice),
    };
  }

  /** The Services that changed since the last call. */
  takeDirty(): DirtyServices {
    while (this.markSome());
    const taken = { services: this.#dirty, triggers: this.#triggers.take() };
    this.#dirty = new Set();
    return taken;
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0 || this.#marking !== undefined;
  }

  /** Marks all Services for which the condition holds, in steps: {@link markSome} takes the next one. */
  markDirty(depends: (service: Service) => boolean): void {
    this.#marking = this.#marks(depends, this.#marking);
  }

  /** Takes one step of the marking, which is a few milliseconds of work. Whether there are more. */
  markSome(): boolean {
    if (this.#marking?.next().done === true) this.#marking = undefined;
    return this.#marking !== undefined;
  }

  *#marks(
    depends: (service: Service) => boolean,
    before: Iterator<undefined> | undefined,
  ): Generator<undefined> {
    while (before !== undefined && before.next().done !== true) yield undefined;
    let count = 0;
    for (const service of this.#services.values()) {
      if (++count % markedAtOnce === 0) yield undefined;
      if (!depends(service)) continue;
      this.#dirty.add(service.key);
      this.markWhole(service.key);
    }
  }

  /** When the next vanished endpoints or pods expire; infinite if none wait. */
  get nextExpiry(): number {
    return Math.min(this.#pods.nextExpiry, this.#vanishing.next);
  }

  /** Removes endpoints that did not come back in time, and marks their Services. */
  expire(): void {
    this.#pods.expire();
    for (const due of this.#vanishing.takeAll(this.#now())) {
      const waiting = this.#vanished.get(due.service);
      waiting?.delete(due);
      if (waiting?.size === 0) this.#vanished.delete(due.service);
      this.#change(due.service).unvanished(due.slice);
      this.#dirty.add(due.service);
    }
  }

  #change(key: string): ChangeCollector {
    const known = this.#changes.get(key);
    if (known !== undefined) return known;
    const collector = new ChangeCollector();
    this.#changes.set(key, collector);
    return collector;
  }

  #set(change: Extract<Change, { type: 'set' }>): void {
    switch (change.kind) {
      case 'Service':
        this.#setService(change.object);
        return;
      case 'EndpointSlice':
        this.#setSlice(change.object);
        return;
      case 'Node':
        this.#node = change.object;
        this.#lastNode = change.object;
    }
  }

  #delete(kind: Kind, name: ObjectName): void {
    switch (kind) {
      case 'Service':
        this.#deleteService(objectKey(name));
        return;
      case 'EndpointSlice': {
        const last = this.#pods.slice(name);
        this.#pods.delete(name);
        if (last !== undefined) this.#removeSlice(last);
        return;
      }
      case 'Node':
        this.#node = undefined;
    }
  }

  #setService(service: Service): void {
    const { key } = service;
    this.#services.set(key, service);
    this.#dirty.add(key);
    this.markWhole(key);
  }

  #deleteService(key: string): void {
    if (!this.#services.delete(key)) return;
    this.#dirty.add(key);
    this.markWhole(key);
  }

  #setSlice(received: EndpointSlice): void {
    const { serviceKey } = received;
    const before = this.#pods.slice(received);
    const last = before?.serviceKey === serviceKey ? before : undefined;
    const slice = last === undefined ? received : withKnownRecords(received, last);
    this.#pods.set(slice);
    if (before !== undefined && last === undefined) this.#removeSlice(before);
    this.#slices.set(serviceKey, slice);
    this.#dirty.add(serviceKey);
    this.#change(serviceKey).sliceChanged(slice.name, last);
    this.#triggers.note(slice, last);
    if (last !== undefined) this.#rememberVanished(last, slice.endpoints);
  }

  #removeSlice(last: EndpointSlice): void {
    const { serviceKey } = last;
    this.#slices.delete(serviceKey, last.name);
    this.#dirty.add(serviceKey);
    this.#change(serviceKey).sliceChanged(last.name, last);
    this.#rememberVanished(last, []);
  }

  /** Remembers the endpoints that a slice lost and whose addresses are in no slice of the Service any more. */
  #rememberVanished(last: EndpointSlice, present: readonly Endpoint[]): void {
    const gone = recordsOnlyIn(last.endpoints, present);
    if (gone.length === 0) return;
    const { namespace, serviceKey: key } = last;
    const isPresent = new Map<IpAddress, boolean>();
    for (const { address } of gone)
      if (!isPresent.has(address))
        isPresent.set(address, this.#pods.isIn({ namespace, key }, address));
    const endpoints = gone.filter(({ address }) => isPresent.get(address) === false);
    if (endpoints.length === 0) return;
    const vanished = { service: key, slice: { ...last, endpoints } };
    this.#vanished.set(key, (this.#vanished.get(key) ?? new Set()).add(vanished));
    this.#vanishing.set(vanished, this.#now() + vanishTime);
    this.#change(key).vanished(vanished.slice);
  }
}
