import { LineCounter, parseAllDocuments } from 'yaml';
import { isObject } from './fields.ts';
import { isForeign, nameOf } from './reduce.ts';
import type { Kind, ObjectName } from './types.ts';

/** A file that says nothing we can read, and where: `web.yaml:3:7: bad indentation`. */
export class ManifestError extends Error {
  constructor(place: string, { reason, cause }: { reason: string; cause?: unknown }) {
    super(`${place}: ${reason}`, { cause });
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
}

const versions: Readonly<Record<Kind, string>> = {
  Service: 'v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  Node: 'v1',
};

/**
 * The objects in the text of a file: YAML with any number of documents, or JSON; lists are unpacked; objects
 * with a label that takes them out of our hands are left out. ManifestError if any of it cannot be read: half
 * a file would look like a whole one from which somebody took the rest.
 */
export function parseManifests(text: string, file: string): ManifestFile {
  const manifests: Manifest[] = [];
  const ignored = new Set<string>();
  for (const [index, document] of documents(text, file).entries()) {
    for (const { raw, place } of unpack(document, `${file}: document ${index + 1}`)) {
      const { apiVersion, kind } = raw;
      if (typeof kind !== 'string' || typeof apiVersion !== 'string') {
        throw new ManifestError(place, { reason: 'an object without kind or apiVersion' });
      }
      if (!isKind(kind) || versions[kind] !== apiVersion) ignored.add(`${apiVersion} ${kind}`);
      else manifests.push(manifest(kind, { raw, place }));
    }
  }
  return {
    manifests: manifests.filter(({ kind, raw }) => kind === 'Node' || !isForeign(raw)),
    ignoredKinds: [...ignored],
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
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  return [...parsed].map((document) => {
    const [error] = document.errors;
    if (error === undefined) return document.toJS({ maxAliasCount: 10_000 }) as unknown;
    const { line, col } = lines.linePos(error.pos[0]);
    throw new ManifestError(`${file}:${line}:${col}`, { reason: error.message, cause: error });
  });
}

/** An object, or what a list holds, with the place of each; empty documents are nothing. */
function* unpack(
  value: unknown,
  place: string,
): Generator<{ raw: Readonly<Record<string, unknown>>; place: string }> {
  if (value === null || value === undefined) return;
  if (!isObject(value)) throw new ManifestError(place, { reason: 'is no object' });
  const { items, kind } = value;
  if (typeof kind !== 'string' || !kind.endsWith('List') || items === undefined)
    return yield { raw: value, place };
  if (!Array.isArray(items)) throw new ManifestError(place, { reason: 'items is no array' });
  for (const [index, item] of items.entries()) {
    // A ServiceList need not repeat in each item what it is.
    const defaults =
      kind === 'List' ? {} : { kind: kind.slice(0, -4), apiVersion: value['apiVersion'] };
    yield* unpack(isObject(item) ? { ...defaults, ...item } : item, `${place}: items[${index}]`);
  }
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(versions, kind);
}

function manifest(
  kind: Kind,
  { raw, place }: { raw: Readonly<Record<string, unknown>>; place: string },
): Manifest {
  const named = nameOf(raw);
  if (named === undefined)
    throw new ManifestError(place, { reason: `a ${kind} without metadata.name` });
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
