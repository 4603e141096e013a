import { ApiError, errorFromStatus } from './error.ts';
import { isObject } from './fields.ts';
import { KnownNames } from './known-names.ts';
import { nameOf, versionOf } from './reduce.ts';
import type { ObjectName } from './types.ts';

/** The annotation of the bookmark after which a streaming list is complete. */
const initialEventsEnd = 'k8s.io/initial-events-end';

/** Who hears what a tracker makes out. */
export interface TrackerHandler {
  /** An object as it is now, new or changed. */
  set(raw: unknown): void;
  /** An object that was told is gone. */
  delete(name: ObjectName): void;
  /** Every object was told; comes once. */
  synced(): void;
  /** Something came that is no object and no event. */
  malformed(what: string): void;
}

/**
 * What was told of one kind: turns the items of lists and the events of watches into sets and deletes. A pass
 * over all objects tells what it sees at once, and what has vanished only when it is complete.
 */
export class ObjectTracker {
  readonly #handler: TrackerHandler;
  /** Every object that was told and not told as deleted. */
  readonly #known = new KnownNames();
  /** What the pass over all objects has seen so far; `undefined` outside of one. */
  #seen: KnownNames | undefined;
  #version = '';
  #isComplete = false;
  #isSynced = false;

  constructor(handler: TrackerHandler) {
    this.#handler = handler;
  }

  /** The last version that was seen, '' before the first. A watch may go on from it if the state is complete. */
  get version(): string {
    return this.#version;
  }

  /** Whether what was told is all there was at `version`. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** From here on nothing is known to be complete, until a pass ends. What was told stays told. */
  startPass(): void {
    this.#isComplete = false;
    this.#seen = new KnownNames();
  }

  /** An item of a list. */
  item(raw: unknown): void {
    this.#set(raw);
  }

  /** An event of a watch; an error for one that says that the watch is over. */
  event(raw: unknown): void {
    const { type, object } = isObject(raw) ? raw : {};
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
        return this.#set(object);
      case 'DELETED':
        return this.#delete(object);
      case 'BOOKMARK':
        return this.#bookmark(object);
      case 'ERROR':
        throw errorFromStatus('watch', { status: 0, body: object });
      default:
        this.#handler.malformed(`an event of type ${JSON.stringify(type)}`);
    }
  }

  /** The pass saw everything there is at a version: what it did not see is gone. */
  endPass(version: string): void {
    const seen = this.#seen;
    if (seen === undefined) return;
    for (const name of this.#known) {
      if (seen.has(name)) continue;
      this.#known.delete(name);
      this.#handler.delete(name);
    }
    this.#seen = undefined;
    this.#isComplete = true;
    if (version !== '') this.#version = version;
    if (this.#isSynced) return;
    this.#isSynced = true;
    this.#handler.synced();
  }

  #set(raw: unknown): void {
    const name = nameOf(raw);
    if (name === undefined) return this.#handler.malformed('an object without a name');
    this.#known.add(name);
    this.#seen?.add(name);
    this.#handler.set(raw);
    this.#advance(versionOf(raw));
  }

  #delete(raw: unknown): void {
    const name = nameOf(raw);
    if (name === undefined) return this.#handler.malformed('an object without a name');
    // In a pass the end of the pass deletes it: until then the pass may yet turn out to be of no use.
    if (this.#seen !== undefined) this.#seen.delete(name);
    else if (this.#known.delete(name)) this.#handler.delete(name);
    this.#advance(versionOf(raw));
  }

  #bookmark(raw: unknown): void {
    const metadata = isObject(raw) ? raw['metadata'] : undefined;
    const annotations = isObject(metadata) ? metadata['annotations'] : undefined;
    const isEnd = isObject(annotations) && annotations[initialEventsEnd] === 'true';
    if (this.#seen === undefined) return this.#goOnFrom(versionOf(raw));
    // A server that knows nothing of initial events sends ordinary bookmarks, and would never come to an end.
    if (!isEnd) throw new Error('the server does not say where the initial events end');
    this.endPass(versionOf(raw));
  }

  /** A server whose history was restored from a backup knows less than we do, and would tell nothing until it has caught up. */
  #goOnFrom(version: string): void {
    if (version !== this.#version && !isNewer(version, this.#version)) {
      throw new ApiError('watch', {
        status: 410,
        reason: 'Expired',
        message: `the server is at version ${version}, we are at ${this.#version}`,
      });
    }
    this.#advance(version);
  }

  /** A pass gives objects in any order, and some servers send events twice: the newest is the last seen. */
  #advance(version: string): void {
    if (version !== '' && isNewer(version, this.#version)) this.#version = version;
  }
}

/** Whether a version is newer than another; they are numbers, and if one day they are not, the later seen is newer. */
function isNewer(version: string, other: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(other)) return true;
  return version.length === other.length ? version > other : version.length > other.length;
}
