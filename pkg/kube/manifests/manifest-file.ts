import { YamlError, yamlDocuments } from '../../yaml/yaml.ts';
import { isObject } from '../objects/fields.ts';
import { isForeign, nameOf } from '../objects/reduce.ts';
import type { Kind, ObjectName } from '../types.ts';

/** A file or an object that says nothing we can read, and where: `web.yaml:3:7: bad indentation`. */
export class ManifestError extends Error {
  /** What the file system said: `ENOENT`. */
  readonly code: string | undefined;

  constructor(place: string, { reason, code }: { reason: string; code?: string | undefined }) {
    super(`${place}: ${reason}`);
    this.code = code;
    this.name = 'ManifestError';
  }
}

/** One object of a file, of a kind that we read. */
export interface Manifest {
  readonly kind: Kind;
  readonly name: ObjectName;
  readonly raw: unknown;
}

/** What a file holds. */
export interface ManifestFile {
  readonly manifests: readonly Manifest[];
  /** The kinds that are none of our business. */
  readonly ignoredKinds: readonly string[];
  /** Objects that cannot be read, with their places. */
  readonly refused: readonly ManifestError[];
}

/** How deep lists may stand in each other. */
const deepestList = 8;

const versions: Readonly<Record<Kind, string>> = {
  Service: 'v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  Node: 'v1',
};

/**
 * The objects in the text of a file: YAML with any number of documents, or JSON; lists are unpacked; objects
 * with a label that takes them out of our hands are left out, and so are those that lack what every object has.
 * ManifestError if the text cannot be read to its end, for half a file would look like a whole one from which somebody
 * took the rest; and if no object is left of it.
 */
export function parseManifests(text: string, file: string): ManifestFile {
  const manifests: Manifest[] = [];
  const ignored = new Set<string>();
  const refused: ManifestError[] = [];
  for (const [index, document] of documents(text, file).entries()) {
    const top = `${file}: document ${index + 1}`;
    if (document === null || document === undefined) continue;
    if (!isObject(document)) throw new ManifestError(top, { reason: 'is no object' });
    for (const { value, place } of unpack(document, top)) {
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
      // The same as below, but for dumps of a whole cluster a hundred times faster.
      return [JSON.parse(text)];
    } catch {
      // It may be several, or YAML that begins with a brace; if it is broken, the error comes with its place.
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

/** A value, or what it holds if it is a list, with the place of each; nothing for nothing. */
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
    // A ServiceList need not repeat in each item what it is.
    const defaults =
      kind === 'List' ? {} : { kind: kind.slice(0, -4), apiVersion: list['apiVersion'] };
    const itemPlace = `${place}: items[${index}]`;
    yield* unpack(isObject(item) ? { ...defaults, ...item } : item, itemPlace, depth + 1);
  }
}

/** An object of a kind that we read, or else its kind, or why it is refused. */
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

/** What the API server would have filled in: an EndpointSlice's port without a name has the empty one. */
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
