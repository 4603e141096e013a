import { versionOf } from '../objects/reduce.ts';
import { apiServerName, isDoubtful } from '../omission.ts';
import type { Kind, ObjectName } from '../types.ts';
import { ApiError, errorFromStatus } from './error.ts';
import { KnownNames } from './known-names.ts';
import { NameSet } from './name-set.ts';
import { listItem, type NamedObject, type WatchEvent, watchEvent } from './shape.ts';

/** Receives what a tracker finds. */
export interface TrackerHandler {
  /** An object is new or changed. */
  set(raw: unknown): void;
  /** A reported object was deleted. */
  delete(name: ObjectName): void;
  /** Every object was reported. Comes once. */
  synced(): void;
  /** A complete read omitted so many of the known objects that a second read must decide whether they are gone. */
  unconfirmed(omitted: number, known: number): void;
  /** A second read was reported. */
  confirmed(): void;
}

/**
 * Turns the items of lists and the events of watches of one kind into sets and deletes. A complete read reports what it contains at
 * once, and what it omits at its end; if that is too much, only when a second read has omitted it too. An item or event that is
 * none of the kind is an error.
 */
export class ObjectTracker {
  readonly #kind: Kind;
  readonly #handler: TrackerHandler;
  /** Every object that was reported and not reported as deleted. */
  readonly #known = new KnownNames();
  /** Objects that were deleted by events during a complete read; `undefined` if there is none. */
  #deletedInPass: NameSet | undefined;
  /** Objects that were deleted by events during a second read; `undefined` if there is none. */
  #deletedMeanwhile: NameSet | undefined;
  #version = '';
  #isComplete = false;
  /** The number of objects when the state was last complete. New objects of a read do not outweigh those that it omits. */
  #knownBefore = 0;
  #isSynced = false;
  #hasSecondRead = false;

  constructor(kind: Kind, handler: TrackerHandler) {
    this.#kind = kind;
    this.#handler = handler;
  }

  /** The newest version seen; '' before the first. If the state is complete, a watch may continue from it. */
  get version(): string {
    return this.#version;
  }

  /** The number of objects that were reported and not reported as deleted. */
  get size(): number {
    return this.#known.size;
  }

  /** Whether the state is complete at `version`. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** How many objects stay until a second read decides. */
  get unconfirmedCount(): number {
    return this.#known.unconfirmed;
  }

  /** Begins a complete read. The state is incomplete until its end. What was reported stays reported. */
  startPass(): void {
    if (this.#isComplete) this.#knownBefore = this.#known.size;
    this.#isComplete = false;
    this.#known.startRead();
    this.#deletedInPass = new NameSet();
  }

  /** Handles an item of a list. */
  item(raw: unknown): void {
    this.#set(listItem(this.#kind, raw));
  }

  /** Handles an event of a watch. Throws if the event ends the watch. */
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

  /** Ends a complete read at a version. What it omitted is gone, and reported by {@link reportGone}, or unconfirmed. */
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

  /** Begins a second read. It decides only about unconfirmed objects. */
  startSecondRead(): void {
    this.#deletedMeanwhile = new NameSet();
  }

  /** Handles an item of the second read. Reports it if it was unconfirmed or unknown; what the watch reported is newer. */
  secondItem(raw: unknown): void {
    const { name } = listItem(this.#kind, raw);
    const isNews = !this.#known.has(name) && this.#deletedMeanwhile?.has(name) === false;
    if (!this.#known.isUnconfirmed(name) && !isNews) return;
    this.#known.add(name);
    // The version stays: the watch may still have to report events before this object's version.
    this.#handler.set(raw);
  }

  /** Ends the second read. Objects that it omitted and that are still unconfirmed are gone, and reported by {@link reportGone}. */
  endSecondRead(): void {
    this.#deletedMeanwhile = undefined;
    this.#known.confirm();
    this.#hasSecondRead = true;
  }

  /** Reports at most `count` objects as deleted. Whether there are more. */
  reportGone(count: number): boolean {
    for (const name of this.#known.someGone(count)) this.#reportDeleted(name);
    if (this.#known.gone > 0) return true;
    this.#reportEnds();
    return false;
  }

  /** Reports the end of a complete read and of a second read, once everything before is reported. */
  #reportEnds(): void {
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
    // During a complete read its end deletes the object, as the read may still fail.
    if (this.#deletedInPass === undefined) this.#reportDeleted(name);
    else this.#deletedInPass.add(name);
    this.#advance(versionOf(raw));
  }

  #reportDeleted(name: ObjectName): void {
    if (this.#known.has(name)) this.#handler.delete(name);
    // After the report, so that one that throws is repeated.
    this.#known.delete(name);
  }

  #bookmark({ version, isInitialEnd }: Extract<WatchEvent, { type: 'bookmark' }>): void {
    if (this.#deletedInPass === undefined) return this.goOnFrom(version);
    // A server without streaming lists sends ordinary bookmarks, and the read would never end.
    if (!isInitialEnd) throw new Error('the server does not say where the initial events end');
    this.endPass(version);
  }

  /** Handles the server's present version. Throws if it is older than ours, as after a restore from a backup. */
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

  /** A complete read has objects in any order, and some servers send events twice, so only a newer version counts. */
  #advance(version: string): void {
    if (version !== '' && isNewer(version, this.#version)) this.#version = version;
  }
}

/** Whether a version is newer than another. Versions that are not numbers count as newer. */
function isNewer(version: string, other: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(other)) return true;
  return version.length === other.length ? version > other : version.length > other.length;
}
