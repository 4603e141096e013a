import { type KubeObject, type ObjectMeta, textAt } from './objects.ts';
import type { Resource } from './resources.ts';
import { expired, tooLargeVersion } from './status.ts';

/** One version of an object: its JSON text, made once, and what selectors ask for. */
export interface Stored {
  readonly storage: string;
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly version: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The values of the resource's selectable fields, '' where there is none. */
  readonly fields: Readonly<Record<string, string>>;
  /** Begins with `kind` and `apiVersion`, in this order. */
  readonly text: string;
}

/** One change, in the order of versions. `current` of a deletion is the object's last state under the deletion's version. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly version: number;
  readonly previous: Stored | undefined;
  readonly current: Stored;
}

/** Everything that {@link Store.restore} needs to go back to. */
export interface Backup {
  readonly revision: number;
  readonly objects: readonly Stored[];
}

/** A new copy of the object, the caller's own. */
export function objectOf(stored: Stored): KubeObject {
  // Only texts of KubeObjects are ever stored.
  return JSON.parse(stored.text) as KubeObject;
}

/** Where an object is kept within its storage. */
export function keyOf({
  namespace,
  name,
}: {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}): string {
  return namespace ? `${namespace}/${name}` : (name ?? '');
}

/**
 * All objects under one version counter, as etcd keeps them, and what happened lately: enough to resume a
 * watch, and to list the state of a version that is past.
 */
export class Store {
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #historyLimit: number;
  #history: StoreEvent[] = [];
  #revision = 1;
  #compacted = 0;

  constructor(options: { historyLimit: number }) {
    this.#historyLimit = options.historyLimit;
  }

  /** The version of the latest change. */
  get revision(): number {
    return this.#revision;
  }

  get(storage: string, key: string): Stored | undefined {
    return this.#objects.get(storage)?.get(key);
  }

  /** Keeps an object under the next version; in a dry run it only returns what would be kept. */
  put(resource: Resource, object: KubeObject, options: { isDryRun?: boolean } = {}): Stored {
    const previous = this.get(resource.storage, keyOf(object.metadata));
    const version = options.isDryRun ? (previous?.version ?? this.#revision) : this.#revision + 1;
    const current = makeStored(resource, object, version);
    if (options.isDryRun) return current;
    this.#within(current.storage).set(current.key, current);
    this.#publish({
      type: previous === undefined ? 'ADDED' : 'MODIFIED',
      version: current.version,
      previous,
      current,
    });
    return current;
  }

  /** Takes an object away; what is returned is its last state under the version of the deletion. */
  remove(stored: Stored): Stored {
    const current = withVersion(stored, this.#revision + 1);
    this.#within(stored.storage).delete(stored.key);
    this.#publish({ type: 'DELETED', version: current.version, previous: stored, current });
    return current;
  }

  /** All objects, in the order of their keys; of a past version if `at` is given: 410 if it is not remembered. */
  list(storage: string, at?: number): Stored[] {
    const state = at === undefined ? this.#within(storage) : this.#stateAt(storage, at);
    return [...state.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
  }

  /** What happened after a version; 410 if that is not remembered. */
  since(version: number): readonly StoreEvent[] {
    if (version < this.#compacted)
      throw expired(`too old resource version: ${version} (${this.#compacted})`);
    let low = 0;
    let high = this.#history.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#history[middle]?.version ?? 0) <= version) low = middle + 1;
      else high = middle;
    }
    return this.#history.slice(low);
  }

  /** Calls back for every change from now on; the returned function ends it. */
  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Forgets what happened up to a version, the present one if none is given. */
  compact(version: number = this.#revision): void {
    this.#history = this.#history.filter((event) => event.version > version);
    this.#compacted = Math.max(this.#compacted, version);
  }

  backup(): Backup {
    return {
      revision: this.#revision,
      objects: [...this.#objects.values()].flatMap((objects) => [...objects.values()]),
    };
  }

  /** Goes back to a backup, the version counter too, as etcd restored from one does. Watches get no event. */
  restore(backup: Backup): void {
    this.#objects.clear();
    for (const stored of backup.objects) this.#within(stored.storage).set(stored.key, stored);
    this.#history = [];
    this.#revision = backup.revision;
    this.#compacted = backup.revision;
  }

  #within(storage: string): Map<string, Stored> {
    let objects = this.#objects.get(storage);
    if (objects === undefined) {
      objects = new Map();
      this.#objects.set(storage, objects);
    }
    return objects;
  }

  #stateAt(storage: string, version: number): Map<string, Stored> {
    if (version > this.#revision) throw tooLargeVersion(version, this.#revision);
    const state = new Map(this.#within(storage));
    for (const { current, previous } of this.since(version).toReversed()) {
      if (current.storage !== storage) continue;
      if (previous === undefined) state.delete(current.key);
      else state.set(current.key, previous);
    }
    return state;
  }

  #publish(event: StoreEvent): void {
    this.#revision = event.version;
    this.#history.push(event);
    // Cut by halves, so that a long history costs nothing per change.
    if (this.#history.length > this.#historyLimit * 2) {
      this.compact(this.#history.at(-this.#historyLimit - 1)?.version);
    }
    for (const listener of this.#listeners) listener(event);
  }
}

/** The same object under another version. */
export function withVersion(stored: Stored, version: number): Stored {
  const object = objectOf(stored);
  object.metadata.resourceVersion = String(version);
  return { ...stored, version, text: JSON.stringify(object) };
}

function makeStored(resource: Resource, object: KubeObject, version: number): Stored {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { name = '', namespace = '', uid = '', resourceVersion: _, ...others } = metadata;
  const whole: ObjectMeta = {
    name,
    ...(namespace === '' ? {} : { namespace }),
    uid,
    resourceVersion: String(version),
    ...others,
  };
  const fields: Record<string, string> = { 'metadata.name': name, 'metadata.namespace': namespace };
  for (const field of resource.selectableFields) fields[field] = textAt(object, field);
  const text = JSON.stringify({ kind, apiVersion, metadata: whole, ...rest });
  const key = keyOf({ namespace, name });
  return {
    storage: resource.storage,
    key,
    namespace,
    name,
    uid,
    version,
    labels: metadata.labels ?? {},
    fields,
    text,
  };
}
