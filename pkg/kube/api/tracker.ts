import { versionOf } from '../objects/reduce.ts';
import { apiServerName, isDoubtful } from '../omission.ts';
import type { Kind, ObjectName } from '../types.ts';
import { ApiError, errorFromStatus } from './error.ts';
import { KnownNames } from './known-names.ts';
import { NameSet } from './name-set.ts';
import { listItem, type NamedObject, type WatchEvent, watchEvent } from './shape.ts';

/** Who hears what a tracker makes out. */
export interface TrackerHandler {
  /** An object as it is now, new or changed. */
  set(raw: unknown): void;
  /** An object that was told is gone. */
  delete(name: ObjectName): void;
  /** Every object was told; comes once. */
  synced(): void;
  /** A complete read left out so much of what was known that a second read decides whether it is gone. */
  unconfirmed(omitted: number, known: number): void;
  /** A second read was told. */
  confirmed(): void;
}

/**
 * What was told of one kind: turns the items of lists and the events of watches into sets and deletes. A pass over all
 * objects tells what it sees at once, and what has vanished only when it is complete; where that is doubtful, only
 * when a second read has left it out too. What is no object and no event of the kind is an error.
 */
export class ObjectTracker {
  readonly #kind: Kind;
  readonly #handler: TrackerHandler;
  /** Every object that was told and not told as deleted; those that a doubtful pass omitted are unconfirmed. */
  readonly #known = new KnownNames();
  /** What events said to be deleted since the pass began; `undefined` while there is none. */
  #deletedInPass: NameSet | undefined;
  /** What events said to be deleted since the second read began; `undefined` while there is none. */
  #deletedMeanwhile: NameSet | undefined;
  #version = '';
  #isComplete = false;
  /** How many objects there were when what was told was complete last: what a pass brings does not outweigh what it leaves out. */
  #knownBefore = 0;
  #isSynced = false;
  #hasSecondRead = false;

  constructor(kind: Kind, handler: TrackerHandler) {
    this.#kind = kind;
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

  /** How many objects stay until a second read decides. */
  get unconfirmedCount(): number {
    return this.#known.unconfirmed;
  }

  /** From here on nothing is known to be complete, until a pass ends. What was told stays told. */
  startPass(): void {
    if (this.#isComplete) this.#knownBefore = this.#known.size;
    this.#isComplete = false;
    this.#known.startRead();
    this.#deletedInPass = new NameSet();
  }

  /** An item of a list. */
  item(raw: unknown): void {
    this.#set(listItem(this.#kind, raw));
  }

  /** An event of a watch; an error for one that says that the watch is over. */
  event(raw: unknown): void {
    const event = watchEvent(this.#kind, raw);
    switch (event.type) {
      case 'set':
        return this.#set(event);
      case 'delete':
        return this.#delete(event);
      case 'bookmark':
        return this.#bookmark(event);
      case 'error':
        throw errorFromStatus('watch', { status: 0, body: event.status });
    }
  }

  /** The pass saw everything there is at a version: what it did not see is gone, which {@link reportGone} tells, or unconfirmed. */
  endPass(version: string): void {
    const deleted = this.#deletedInPass;
    if (deleted === undefined) return;
    this.#deletedInPass = undefined;
    for (const name of deleted) this.#known.markGone(name);
    const { count, newly } = this.#known.omitted;
    const known = this.#knownBefore;
    const apiServer = this.#known.isOmitted(apiServerName);
    const isUnconfirmed = isDoubtful(this.#kind, { omitted: count, known, apiServer });
    this.#known.endRead(isUnconfirmed ? 'unconfirmed' : 'gone');
    this.#isComplete = true;
    this.#version = version;
    if (isUnconfirmed && newly > 0) this.#handler.unconfirmed(count, known);
  }

  /** A second read begins; it decides about what is unconfirmed, and about nothing else. */
  startSecondRead(): void {
    this.#deletedMeanwhile = new NameSet();
  }

  /** An item of the second read. It is told if it was unconfirmed or not known; what the watch has told is newer. */
  secondItem(raw: unknown): void {
    const { name } = listItem(this.#kind, raw);
    const isNews = !this.#known.has(name) && this.#deletedMeanwhile?.has(name) === false;
    if (!this.#known.isUnconfirmed(name) && !isNews) return;
    this.#known.add(name);
    // The version stays: there may be events between it and this object's that the watch has yet to bring.
    this.#handler.set(raw);
  }

  /** The second read saw everything there is: what it left out and is still unconfirmed is gone, which {@link reportGone} tells. */
  endSecondRead(): void {
    this.#deletedMeanwhile = undefined;
    this.#known.confirm();
    this.#hasSecondRead = true;
  }

  /** Tells that some objects are deleted, no more than a number of them; whether there are more. */
  reportGone(count: number): boolean {
    for (const name of this.#known.someGone(count)) this.#tellDeleted(name);
    if (this.#known.gone > 0) return true;
    this.#tellEnds();
    return false;
  }

  /** Everything was told that there is to tell of a pass, and of a second read. */
  #tellEnds(): void {
    if (this.#isComplete && !this.#isSynced) {
      this.#isSynced = true;
      this.#handler.synced();
    }
    if (!this.#hasSecondRead) return;
    this.#hasSecondRead = false;
    this.#handler.confirmed();
  }

  #set({ name, raw }: NamedObject): void {
    this.#known.add(name);
    this.#deletedInPass?.delete(name);
    this.#handler.set(raw);
    this.#advance(versionOf(raw));
  }

  #delete({ name, raw }: NamedObject): void {
    this.#deletedMeanwhile?.add(name);
    // In a pass the end of the pass deletes it: until then the pass may yet turn out to be of no use.
    if (this.#deletedInPass === undefined) this.#tellDeleted(name);
    else this.#deletedInPass.add(name);
    this.#advance(versionOf(raw));
  }

  #tellDeleted(name: ObjectName): void {
    if (this.#known.has(name)) this.#handler.delete(name);
    // What could not be told is not forgotten.
    this.#known.delete(name);
  }

  #bookmark({ version, isInitialEnd }: Extract<WatchEvent, { type: 'bookmark' }>): void {
    if (this.#deletedInPass === undefined) return this.goOnFrom(version);
    // A server that knows nothing of initial events sends ordinary bookmarks, and would never come to an end.
    if (!isInitialEnd) throw new Error('the server does not say where the initial events end');
    this.endPass(version);
  }

  /** The server says that it is at a version. One whose history was restored from a backup knows less than we do: an error. */
  goOnFrom(version: string): void {
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
