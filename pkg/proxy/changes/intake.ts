import { type Family, families, familyOf } from '../../ip/address.ts';
import { objectKey } from '../../kube/object-key.ts';
import type {
  Change,
  Kind,
  Node,
  ObjectName,
  Problem,
  Service,
  SourceStatus,
} from '../../kube/types.ts';
import type { Logger } from '../../log/log.ts';
import { type Clock, seconds } from '../../runner/clock.ts';
import { dependsOnNodeIPs } from '../desired/service.ts';
import type { Reporter } from '../reporter.ts';
import { NodePresence } from './node-presence.ts';
import type { Store } from './store.ts';

export interface IntakeOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly reporter: Reporter;
  readonly nodeName: string;
  /** Called after a change that has to be carried out. */
  readonly onDirty: () => void;
}

/** After how long a change that threw is tried again, in milliseconds. */
const retryPause = seconds(1);

type ObjectChange = Exclude<Change, SourceStatus>;

/** Applies changes from a source to the store, reports invalid objects, and knows which kinds have been read completely. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #synced = new Set<Kind>();
  readonly #stale = new Set<Kind>();
  readonly #confirmed = new Set<Kind>();
  /** The problems of invalid objects. */
  readonly #invalid = byKindAndKey<string>();
  readonly #waiting = new Set<() => void>();
  readonly #nodePresence: NodePresence;
  /** Changes that threw. */
  readonly #failed = byKindAndKey<ObjectChange>();

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#nodePresence = new NodePresence(options);
  }

  /** Applies one change, or a status of the source. */
  take(change: Change): void {
    if (change.type === 'synced') this.#synced.add(change.kind);
    else if (change.type === 'stale') this.#stale.add(change.kind);
    else if (change.type === 'current') this.#stale.delete(change.kind);
    else if (change.type === 'confirmed') this.#takeConfirmation(change.kind);
    else this.#takeObject(change);
    if (change.kind === 'Node' && this.hasSynced('Node'))
      this.#nodePresence.check(this.#options.store.node !== undefined);
    for (const wake of this.#waiting) wake();
  }

  /** Whether all objects of the kinds have been read. */
  hasSynced(...kinds: readonly Kind[]): boolean {
    return kinds.every((kind) => this.#synced.has(kind));
  }

  /** Whether all objects of the kinds have been read a second time. */
  isConfirmed(...kinds: readonly Kind[]): boolean {
    return kinds.every((kind) => this.#confirmed.has(kind));
  }

  /** Whether the objects of the kinds are up to date, as far as they can be read. */
  isCurrent(...kinds: readonly Kind[]): boolean {
    return !kinds.some((kind) => this.#stale.has(kind));
  }

  /**
   * Resolves when the condition holds (it is tried after each change), the signal aborts, or `patience` (in milliseconds) is over.
   * The result is false only in the last case.
   */
  async until(
    condition: () => boolean,
    { signal, patience }: { signal: AbortSignal; patience?: number },
  ): Promise<boolean> {
    if (condition() || signal.aborted) return true;
    await new Promise<void>((resolve) => {
      const end = () => {
        cancel?.();
        this.#waiting.delete(check);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const check = () => {
        if (condition()) end();
      };
      const cancel = patience === undefined ? undefined : this.#options.clock.after(patience, end);
      this.#waiting.add(check);
      signal.addEventListener('abort', end);
    });
    return condition() || signal.aborted;
  }

  #takeConfirmation(kind: Kind): void {
    this.#confirmed.add(kind);
    this.#options.onDirty();
  }

  #takeObject(change: ObjectChange): void {
    const { store, reporter, onDirty } = this.#options;
    const name = nameOf(change);
    const problems = change.type === 'delete' ? [] : change.problems;
    const isNews = this.#noteProblems(change.kind, { name, problems });
    if (change.type === 'unusable') return;
    const before = store.lastNode;
    if (!this.#apply(change, name)) return;
    const service = change.type === 'set' ? this.#serviceOf(change) : undefined;
    if (isNews && service !== undefined)
      reporter.invalidObject(
        { namespace: name.namespace, name: name.name, kind: change.kind, service },
        problems,
      );
    reporter.changeReceived(change.kind);
    if (change.kind === 'Node') markServicesOf(store, before);
    reporter.queued(concerned(change));
    onDirty();
  }

  /**
   * Applies a change to the store. If that throws, it is tried again later, unless a newer change of the object comes first. False
   * then.
   */
  #apply(change: ObjectChange, name: ObjectName): boolean {
    const { store, clock, log } = this.#options;
    const { kind } = change;
    const failed = this.#failed[kind];
    try {
      store.apply(change);
      if (failed.size > 0) failed.delete(objectKey(name));
      return true;
    } catch (error) {
      const key = objectKey(name);
      if (!failed.has(key)) log.error('could not take a change in', error, { kind, object: key });
      failed.set(key, change);
      clock.after(retryPause, () => {
        if (failed.get(key) === change) this.take(change);
      });
      return false;
    }
  }

  /** The Service that an object is or belongs to. */
  #serviceOf(change: Extract<Change, { type: 'set' }>): Service | undefined {
    if (change.kind === 'Service') return change.object;
    if (change.kind === 'Node') return undefined;
    return this.#options.store.service(change.object.serviceKey);
  }

  /** Logs the problems of an object, once for each different text. Whether these were problems not logged before. */
  #noteProblems(
    kind: Kind,
    { name, problems }: { name: ObjectName; problems: readonly Problem[] },
  ): boolean {
    const invalid = this.#invalid[kind];
    if (problems.length === 0 && invalid.size === 0) return false;
    const key = objectKey(name);
    const text = problems.map(({ field, message }) => `${field}: ${message}`).join('; ');
    if (text === (invalid.get(key) ?? '')) return false;
    if (text === '') invalid.delete(key);
    else invalid.set(key, text);
    if (text !== '')
      this.#options.log.error(`invalid ${kind}`, undefined, { object: key, problems: text });
    this.#options.reporter.invalidObjects(kind, invalid.size);
    return text !== '';
  }
}

/** An empty map for each kind, by the keys of objects. */
function byKindAndKey<T>(): Readonly<Record<Kind, Map<string, T>>> {
  return { Service: new Map(), EndpointSlice: new Map(), Node: new Map() };
}

/** The name of the object that a change is about. */
function nameOf(change: ObjectChange): ObjectName {
  if (change.type !== 'set') return change.name;
  return change.kind === 'Node' ? { namespace: '', name: change.object.name } : change.object;
}

/** Marks the Services that depend on a change of the Node. */
function markServicesOf(store: Store, before: Node | undefined): void {
  const { lastNode: node } = store;
  if (node?.zone !== before?.zone) store.markDirty(() => true);
  else if (String(node?.addresses) !== String(before?.addresses)) store.markDirty(dependsOnNodeIPs);
}

/** The families that a change is about; both if that is unknown. */
function concerned(change: ObjectChange): readonly Family[] {
  if (change.type !== 'set') return families;
  if (change.kind === 'EndpointSlice') return [change.object.family];
  if (change.kind === 'Service') return change.object.clusterIPs.map(familyOf);
  return families;
}
