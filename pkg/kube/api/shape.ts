import { isObject } from '../objects/fields.ts';
import { nameOf, versionOf } from '../objects/reduce.ts';
import type { Kind, ObjectName } from '../types.ts';
import { MalformedError } from './error.ts';

/** The annotation of the bookmark that ends a streaming list. */
export const initialEventsEnd = 'k8s.io/initial-events-end';
/** How many characters of an untrusted text an error repeats. */
const quoteLimit = 60;

/** An object of the API with its name. */
export interface NamedObject {
  readonly name: ObjectName;
  readonly raw: unknown;
}

/** One event of a watch. */
export type WatchEvent =
  | ({ readonly type: 'set' | 'delete' } & NamedObject)
  | { readonly type: 'bookmark'; readonly version: string; readonly isInitialEnd: boolean }
  /** The `Status` with which the server ends a watch. */
  | { readonly type: 'error'; readonly status: unknown };

/** Checks the fields before the items of a list. Throws a MalformedError if the list is not of the kind. */
export function checkListHead(kind: Kind, head: unknown): void {
  const found = isObject(head) ? head['kind'] : undefined;
  if (found === `${kind}List`) return;
  throw new MalformedError(`a list of kind ${quote(found)} in place of a ${kind}List`);
}

/** The version of a complete list, from the list without its items. Throws a MalformedError if it is no list of the kind. */
export function listVersion(kind: Kind, list: unknown): string {
  if (!isObject(list) || list['kind'] !== `${kind}List`) checkListHead(kind, list);
  const items = isObject(list) ? list['items'] : undefined;
  // Go prints an empty list as null, and so do older API servers.
  if (!Array.isArray(items) && items !== null)
    throw new MalformedError(`a ${kind}List without items`);
  const version = versionOf(list);
  if (version === '') throw new MalformedError(`a ${kind}List without a resourceVersion`);
  return version;
}

/** An item of a list, which need not have a kind. Throws a MalformedError if it is no object of the kind. */
export function listItem(kind: Kind, raw: unknown): NamedObject {
  const found = isObject(raw) ? (raw['kind'] ?? kind) : undefined;
  return named(kind, { raw, found });
}

/** An event of a watch. Throws a MalformedError if it is no event of the kind. */
export function watchEvent(kind: Kind, raw: unknown): WatchEvent {
  const { type, object } = isObject(raw) ? raw : {};
  const found = isObject(object) ? object['kind'] : undefined;
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { type: 'set', ...named(kind, { raw: object, found }) };
    case 'DELETED':
      return { type: 'delete', ...named(kind, { raw: object, found }) };
    case 'BOOKMARK':
      return bookmark(kind, { raw: object, found });
    case 'ERROR':
      return { type: 'error', status: object };
    default:
      throw new MalformedError(`an event of type ${quote(type)}`);
  }
}

function named(kind: Kind, { raw, found }: { raw: unknown; found: unknown }): NamedObject {
  if (found !== kind)
    throw new MalformedError(`an object of kind ${quote(found)} in place of a ${kind}`);
  const name = nameOf(raw);
  if (name === undefined) throw new MalformedError(`a ${kind} without a name`);
  if (name.namespace === '' && kind !== 'Node')
    throw new MalformedError(`a ${kind} without a namespace`);
  return { name, raw };
}

function bookmark(kind: Kind, { raw, found }: { raw: unknown; found: unknown }): WatchEvent {
  const version = versionOf(raw);
  if (found !== kind || version === '')
    throw new MalformedError(`a bookmark of kind ${quote(found)} at version ${quote(version)}`);
  const metadata = isObject(raw) ? raw['metadata'] : undefined;
  const annotations = isObject(metadata) ? metadata['annotations'] : undefined;
  const isInitialEnd = isObject(annotations) && annotations[initialEventsEnd] === 'true';
  return { type: 'bookmark', version, isInitialEnd };
}

function quote(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, quoteLimit)) : typeof value;
}
