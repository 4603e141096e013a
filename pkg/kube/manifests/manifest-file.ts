import { YamlError, yamlDocuments } from '../../yaml/yaml.ts';
import { isObject } from '../objects/fields.ts';
import { isForeign, nameOf } from '../objects/reduce.ts';
import type { Kind, ObjectName } from '../types.ts';

/** A file or an object that cannot be read, with its place: `web.yaml:3:7: bad indentation`. */
export class ManifestError extends Error {
  /** The error code of the file system: `ENOENT`. */
  readonly code: string | undefined;

  constructor(place: string, { reason, code }: { reason: string; code?: string | undefined }) {
    super(`${place}: ${reason}`);
    this.code = code;
    this.name = 'ManifestError';
  }
}

/** One object of a file, of a kind that is read. */
export interface Manifest {
  readonly kind: Kind;
  readonly name: ObjectName;
  readonly raw: unknown;
}

/** The contents of a file. */
export interface ManifestFile {
  readonly manifests: readonly Manifest[];
  /** The kinds that are not read. */
  readonly ignoredKinds: readonly string[];
  /** Objects that cannot be read, with their places. */
  readonly refused: readonly ManifestError[];
}

/** How deep lists may be nested. */
const deepestList = 8;

const versions: Readonly<Record<Kind, string>> = {
  Service: 'v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  Node: 'v1',
};

/**
 * The objects in the text of a file: YAML with any number of documents, or JSON. Lists and dumps of nodes are unpacked. Objects with a label for
 * another proxy and invalid ones are left out. ManifestError if the text cannot be read to its end, as the missing objects would
 * look deleted, or if it has no valid object.
 */
export function parseManifests(text: string, file: string): ManifestFile {
  const manifests: Manifest[] = [];
  const ignored = new Set<string>();
  const refused: ManifestError[] = [];
  for (const [index, document] of documents(text, file).entries()) {
    const top = `${file}: document ${index + 1}`;
    if (document === null || document === undefined) continue;
    if (!isObject(document)) throw new ManifestError(top, { reason: 'is no object' });
    const items = document['kind'] === dumpKind ? dumpItems(document, file) : unpack(document, top);
    for (const { value, place } of items) {
      const found = manifestOrKind(value, place);
      if (found instanceof ManifestError) refused.push(found);
      else if (typeof found === 'string') ignored.add(found);
      else manifests.push(found);
    }
  }
  const [first] = refused;
  if (first !== undefined && manifests.length + ignored.size === 0) throw first;
  return {
    manifests: manifests.filter(({ kind, raw }) => kind === 'Node' || !isForeign(raw)),
    ignoredKinds: [...ignored],
    refused,
  };
}

function documents(text: string, file: string): unknown[] {
  if (text.trimStart().startsWith('{')) {
    try {
      // Gives the same as below, but is a hundred times faster for dumps of a whole cluster.
      return [JSON.parse(text)];
    } catch {
      // It may be several documents, or YAML that begins with a brace. If it is invalid, the YAML parser reports the place.
    }
  }
  try {
    return [...yamlDocuments(text)];
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    const { position, message } = error;
    const where = position === undefined ? '' : `:${position.line}:${position.column}`;
    throw new ManifestError(`${file}${where}`, { reason: message });
  }
}

/** The kind of the file that `kube-proxy dump` writes, and the version that is read. */
const dumpKind = 'NodeDump';
const dumpVersion = 'ipvs.kube-proxy.io/v1';

/** The objects of a dump of a node, each with its place. Throws a ManifestError if it has none, as then they could not be read. */
function* dumpItems(
  { apiVersion, objects }: Readonly<Record<string, unknown>>,
  file: string,
): Generator<{ value: unknown; place: string }> {
  if (apiVersion !== dumpVersion)
    throw new ManifestError(file, { reason: `apiVersion: only ${dumpVersion} of a dump is read` });
  if (objects === undefined)
    throw new ManifestError(file, { reason: 'is a dump without objects, which could not be read' });
  if (!Array.isArray(objects)) throw new ManifestError(file, { reason: 'objects is no array' });
  for (const [index, value] of objects.entries())
    yield { value, place: `${file}: objects[${index}]` };
}

/** A value, or the items if it is a list, each with its place. */
function* unpack(
  value: unknown,
  place: string,
  depth = 0,
): Generator<{ value: unknown; place: string }> {
  if (depth > deepestList)
    throw new ManifestError(place, { reason: 'lists stand too deep in each other' });
  if (value === null || value === undefined) return;
  const list = isObject(value) ? value : {};
  const { items, kind } = list;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items))
    return yield { value, place };
  for (const [index, item] of items.entries()) {
    // Items of a ServiceList need not have a kind of their own.
    const defaults =
      kind === 'List' ? {} : { kind: kind.slice(0, -4), apiVersion: list['apiVersion'] };
    const itemPlace = `${place}: items[${index}]`;
    yield* unpack(isObject(item) ? { ...defaults, ...item } : item, itemPlace, depth + 1);
  }
}

/** An object of a kind that is read; otherwise its kind, or why it is refused. */
function manifestOrKind(value: unknown, place: string): Manifest | string | ManifestError {
  if (!isObject(value)) return new ManifestError(place, { reason: 'is no object' });
  const { apiVersion, kind, items } = value;
  if (typeof kind !== 'string' || typeof apiVersion !== 'string')
    return new ManifestError(place, { reason: 'an object without kind or apiVersion' });
  if (kind.endsWith('List') && items !== undefined)
    return new ManifestError(place, { reason: 'items is no array' });
  if (!isKind(kind) || versions[kind] !== apiVersion) return `${apiVersion} ${kind}`;
  return manifest(kind, { raw: value, place });
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(versions, kind);
}

function manifest(
  kind: Kind,
  { raw, place }: { raw: Readonly<Record<string, unknown>>; place: string },
): Manifest | ManifestError {
  const named = nameOf(raw);
  if (named === undefined)
    return new ManifestError(place, { reason: `a ${kind} without metadata.name` });
  const namespace = kind === 'Node' ? '' : named.namespace === '' ? 'default' : named.namespace;
  const metadata = { ...(raw['metadata'] as object), namespace };
  return {
    kind,
    name: { namespace, name: named.name },
    raw: withDefaults(kind, { ...raw, metadata }),
  };
}

/** Sets a default of the API server: the name of an EndpointSlice's port is empty. */
function withDefaults(kind: Kind, raw: Readonly<Record<string, unknown>>): unknown {
  const { ports } = raw;
  if (kind !== 'EndpointSlice' || !Array.isArray(ports)) return raw;
  return {
    ...raw,
    ports: ports.map((port: unknown) =>
      isObject(port) ? { ...port, name: port['name'] ?? '' } : port,
    ),
  };
}
