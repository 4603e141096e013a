import { randomUUID } from 'node:crypto';
import type { Clock } from '../../pkg/runner/clock.ts';
import type { Allocator } from './allocation.ts';
import { fillDefaults, firstStatus } from './defaults.ts';
import { fromView } from './event-views.ts';
import { isRecord, isSame, type KubeObject, recordAt, valueAt } from './objects.ts';
import { apiVersionOf, type Resource, resourceOfKind, storedAs } from './resources.ts';
import { alreadyExists, badRequest, conflict, invalid, notFound } from './status.ts';
import { keyOf, objectOf, type Store, type Stored } from './store.ts';
import { validate } from './validation.ts';

/** Where an object belongs, as a path or its own fields say it; the name is '' when a create lets the server choose. */
export interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** How an object is written. */
export interface WriteOptions {
  /** False stores what a real server would refuse. */
  readonly validate: boolean;
  /** Which part is written: all but `status`, `status` alone, or everything, which is for tests only. */
  readonly part: 'spec' | 'status' | 'all';
  /** Everything is checked and answered, nothing is kept. */
  readonly isDryRun: boolean;
}

const wholeWrite: WriteOptions = { validate: true, part: 'spec', isDryRun: false };

/** What happens to an object between a request and the store: metadata, defaults, allocation, validation, versions. */
export class Registry {
  readonly store: Store;
  readonly #allocator: Allocator;
  readonly #clock: Clock;

  constructor(parts: { store: Store; allocator: Allocator; clock: Clock }) {
    this.store = parts.store;
    this.#allocator = parts.allocator;
    this.#clock = parts.clock;
  }

  /** The object as stored; 404 if there is none. */
  get(resource: Resource, place: Place): Stored {
    const stored = this.find(resource, place);
    if (stored === undefined) throw notFound(resource, place.name);
    return stored;
  }

  /** The object as stored, if there is one. */
  find(resource: Resource, place: Place): Stored | undefined {
    return this.store.get(resource.storage, keyOf(place));
  }

  /** Adds an object, and the namespace that it is in if that is new. */
  create(object: KubeObject, options: Partial<WriteOptions> = {}): Stored {
    const { part, validate: isValidated, isDryRun } = { ...wholeWrite, ...options };
    const resource = resourceOf(object);
    const metadata = this.#newMetadata(resource, object);
    if (this.store.get(resource.storage, keyOf(metadata)) !== undefined)
      throw alreadyExists(resource, metadata.name);
    const created = fromView({ ...object, metadata });
    if (resource.status === 'dropped on create' && part !== 'all') delete created['status'];
    if (resource.status !== 'none') created['status'] ??= firstStatus(created.kind);
    this.#admit(resource, created, { isValidated });
    if (!isDryRun && resource.isNamespaced) this.#ensureNamespace(metadata.namespace);
    return this.#keep(resource, created, isDryRun);
  }

  /** Replaces an object; 409 if it names another version or uid than the present ones. An equal object changes nothing. */
  update(object: KubeObject, options: Partial<WriteOptions> = {}): Stored {
    const { part, validate: isValidated, isDryRun } = { ...wholeWrite, ...options };
    const resource = resourceOf(object);
    const { name = '' } = object.metadata;
    const namespace = resource.isNamespaced ? object.metadata.namespace || 'default' : '';
    const stored = this.get(resource, { namespace, name });
    const previous = objectOf(stored);
    const { resourceVersion, uid } = object.metadata;
    if (resourceVersion && resourceVersion !== String(stored.version))
      throw conflict(resource, name);
    if (uid && uid !== stored.uid) throw conflict(resource, name);
    const next = merged(fromView(object), previous, resource.status === 'none' ? 'all' : part);
    this.#admit(resource, next, { isValidated, previous });
    if (isSame(next, previous)) return stored;
    if (
      next.metadata.deletionTimestamp !== undefined &&
      (next.metadata.finalizers ?? []).length === 0
    ) {
      return isDryRun ? stored : this.store.remove(stored);
    }
    return this.#keep(resource, next, isDryRun);
  }

  /**
   * Takes an object away; one with finalizers is only marked, until they are gone. The objects in a namespace go
   * before it. Returns the last state and whether it is gone.
   */
  delete(resource: Resource, place: Place): { stored: Stored; isGone: boolean } {
    const stored = this.get(resource, place);
    if (resource.kind === 'Namespace') this.#empty(stored.name);
    const object = objectOf(stored);
    if ((object.metadata.finalizers ?? []).length === 0)
      return { stored: this.store.remove(stored), isGone: true };
    if (object.metadata.deletionTimestamp !== undefined) return { stored, isGone: false };
    object.metadata.deletionTimestamp = this.#timestamp();
    object.metadata['deletionGracePeriodSeconds'] = 0;
    return { stored: this.store.put(storedAs(resource.storage), object), isGone: false };
  }

  #empty(namespace: string): void {
    for (const storage of ['services', 'endpointslices', 'pods', 'events', 'leases']) {
      for (const stored of this.store.list(storage)) {
        if (stored.namespace === namespace) this.delete(storedAs(storage), stored);
      }
    }
  }

  #ensureNamespace(name: string): void {
    if (this.store.get('namespaces', name) !== undefined) return;
    this.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, { validate: false });
  }

  #newMetadata(
    resource: Resource,
    { metadata }: KubeObject,
  ): KubeObject['metadata'] & { namespace: string; name: string } {
    const { managedFields: _, ...given } = metadata;
    const random = randomUUID().slice(0, 5);
    return {
      ...given,
      name: given.name || (given.generateName ? `${given.generateName}${random}` : ''),
      namespace: resource.isNamespaced ? given.namespace || 'default' : '',
      uid: randomUUID(),
      creationTimestamp: this.#timestamp(),
    };
  }

  #admit(
    resource: Resource,
    object: KubeObject,
    how: { isValidated: boolean; previous?: KubeObject },
  ): void {
    const { isValidated, previous } = how;
    fillDefaults(object);
    const spec = recordAt(object, 'spec');
    // Without validation, addresses that were given are nobody's business: they may be anything.
    const isAllocated =
      isValidated || (spec['clusterIP'] === undefined && spec['clusterIPs'] === undefined);
    const refused =
      object.kind === 'Service' && isAllocated ? this.#allocator.allocate(object, previous) : [];
    if (!isValidated) return;
    const causes = [...refused, ...validate(object, previous)];
    const name = object.metadata.name ?? '';
    if (causes.length > 0)
      throw invalid({ group: resource.group, kind: resource.kind, name }, causes);
  }

  #keep(resource: Resource, object: KubeObject, isDryRun: boolean): Stored {
    return this.store.put(storedAs(resource.storage), object, { isDryRun });
  }

  #timestamp(): string {
    return new Date(this.#clock.wallClock()).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}

/** The resource of an object; 400 if its kind is not served. */
export function resourceOf(object: KubeObject): Resource {
  const resource = resourceOfKind(object.kind, object.apiVersion);
  if (resource === undefined)
    throw badRequest(`no kind "${object.kind}" is registered for version "${object.apiVersion}"`);
  return resource;
}

/** Makes sure of what everything else takes for granted: an object of the resource, with metadata, in its place. */
export function checkShape(resource: Resource, body: unknown, place: Place): KubeObject {
  if (!isRecord(body))
    throw badRequest(`the object provided is unrecognized (must be of type ${resource.kind})`);
  const { apiVersion = apiVersionOf(resource), kind = resource.kind, metadata = {} } = body;
  if (kind !== resource.kind || apiVersion !== apiVersionOf(resource)) {
    throw badRequest(
      `${String(kind)} in version "${String(apiVersion)}" cannot be handled as a ${resource.kind}`,
    );
  }
  if (!isRecord(metadata))
    throw badRequest(`${kind} in version "${apiVersion}" cannot be handled as a ${kind}: metadata`);
  for (const map of ['labels', 'annotations']) {
    const values = Object.values(recordAt(metadata, map));
    if (values.some((value) => typeof value !== 'string')) {
      throw badRequest(
        `${kind} in version "${apiVersion}" cannot be handled as a ${kind}: metadata.${map} of type string`,
      );
    }
  }
  for (const field of ['name', 'namespace'] as const) {
    const given = metadata[field] || place[field];
    const wanted = place[field];
    if (wanted !== '' && given !== wanted) {
      throw badRequest(
        `the ${field} of the object (${JSON.stringify(given)}) does not match the ${field} on the URL (${wanted})`,
      );
    }
  }
  const namespace = place.namespace || metadata['namespace'];
  const own = {
    ...metadata,
    name: place.name || metadata['name'] || '',
    ...(namespace ? { namespace } : {}),
  };
  return { ...body, apiVersion, kind, metadata: own } as KubeObject; // every field was looked at above
}

/** What is kept of the present object when a part of it is replaced; identity and times are never the client's. */
function merged(object: KubeObject, previous: KubeObject, part: WriteOptions['part']): KubeObject {
  const {
    namespace,
    uid,
    creationTimestamp,
    deletionTimestamp,
    resourceVersion,
    deletionGracePeriodSeconds,
  } = previous.metadata;
  const { managedFields: _, ...given } = part === 'status' ? previous.metadata : object.metadata;
  const fixed = {
    namespace,
    uid,
    creationTimestamp,
    deletionTimestamp,
    resourceVersion,
    deletionGracePeriodSeconds,
  };
  const metadata = Object.fromEntries(
    Object.entries({ ...given, ...fixed }).filter(([, value]) => value !== undefined),
  );
  const base = part === 'status' ? previous : object;
  const status = valueAt(part === 'spec' ? previous : object, 'status');
  const { status: _status, ...rest } = base;
  return { ...rest, metadata, ...(status === undefined ? {} : { status }) } as KubeObject; // as both were
}
