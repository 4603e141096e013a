import { errnoOf, isUnsupported } from '../../errno/errno.ts';
import type { IpAddress } from '../../ip/address.ts';
import { isSingle, type Prefix, printPrefix } from '../../ip/prefix.ts';
import { type Entry, entryKey } from '../../ipset/ipset.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import type { Logger } from '../../log/log.ts';
import { type Clock, seconds } from '../../runner/clock.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { FailedOperation } from '../plan/failed-operation.ts';
import { type Operation, printOperation } from '../plan/operation.ts';

/** Pauses before an object is tried again, in milliseconds: the first, doubled with each failure, and the longest. */
const shortest = 100;
const longest = seconds(30);
/** The class of the longest pause. A class is the number of times that the first pause was doubled. */
const lastClass = Math.ceil(Math.log2(longest / shortest));

/** An object that failed and waits to be tried again. Times are milliseconds of the clock. */
export interface ObjectFailure {
  /** For people: `virtual server TCP 10.96.0.1 443`. */
  readonly object: string;
  /** The keys of the Services that want it; none for what all share. */
  readonly owners: ReadonlySet<string>;
  /** The kernel's error code, or the name of another error. */
  readonly code: string;
  /** When the first of the attempts failed that have failed without a success in between. */
  readonly since: number;
  readonly due: number;
}

/** A virtual server, entry, address or route for which an operation failed. */
interface FailedObject extends Omit<ObjectFailure, 'object'> {
  /** The object's own key, to be planned again. */
  readonly keys: Keys;
  /** The class of its pause: 0 for the shortest. */
  readonly pauseClass: number;
}

export interface RetriesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly ledger: Ledger;
  /** Asks for a sync after some milliseconds. */
  readonly wake: (milliseconds: number) => void;
}

/**
 * Keeps objects whose operations failed, and says when to try each again. Each object has its own pause, which doubles with each
 * failure, so an object that never succeeds delays no other. After an error that will not go away by itself (`EINVAL`, `ERANGE`,
 * not supported) an object waits the longest pause from its first failure on.
 */
export class Retries {
  readonly #options: RetriesOptions;
  readonly #objects = new Map<string, FailedObject>();
  /** The same objects by class of pause. All objects of a class wait equally long, so each map is in order of due time. */
  readonly #classes = Array.from({ length: lastClass + 1 }, () => new Map<string, FailedObject>());
  /** The number of failed objects by Service. */
  readonly #services = new Map<string, number>();

  constructor(options: RetriesOptions) {
    this.#options = options;
  }

  /** How many Services have at least one failed object. */
  get failedServices(): number {
    return this.#services.size;
  }

  /** How many objects have failed. */
  get size(): number {
    return this.#objects.size;
  }

  /** Every object that failed, in the order of the attempts. */
  *failures(): Generator<ObjectFailure> {
    for (const [object, { owners, code, since, due }] of this.#objects)
      yield { object, owners, code, since, due };
  }

  /**
   * Records the result of a plan for some keys. An object without a failed operation has succeeded and is removed from here. The
   * exception are `undecided` objects, for which the plan had no operation because something else has to stand first.
   */
  record(
    keys: Keys,
    { failed, undecided }: { failed: readonly FailedOperation[]; undecided: Keys },
  ): void {
    this.fail(failed);
    if (this.#objects.size === 0) return;
    const stillFailed = new Set(failed.map(({ operation }) => nameOf(operation)));
    for (const name of namesOf(undecided)) stillFailed.add(name);
    for (const name of namesOf(keys)) if (!stillFailed.has(name)) this.#remove(name);
  }

  /** Logs operations that failed and postpones the objects that they are about. */
  fail(failed: readonly FailedOperation[]): void {
    if (failed.length === 0) return;
    const seen = new Set<string>();
    for (const { operation, error } of failed) {
      const name = nameOf(operation);
      const fields = { operation: printOperation(operation) };
      this.#options.log.error('operation failed', error, fields);
      if (name === undefined || seen.has(name)) continue;
      seen.add(name);
      this.#postpone(name, { keys: keysOf(operation), error });
    }
  }

  /** Postpones a virtual server that could not be read or planned. The caller logs the error. */
  failVirtualServer(key: string, error: Error): void {
    const keys = new Keys();
    keys.addVirtualServer(key);
    this.#postpone(virtualServerName(key), { keys, error });
  }

  /** Adds the keys of objects that are due. An object stays here until {@link record} gets the result of the next attempt. */
  addDue(keys: Keys): void {
    if (this.#objects.size === 0) return;
    const now = this.#options.clock.now();
    for (const objects of this.#classes) {
      for (const { due, keys: some } of objects.values()) {
        if (due > now) break;
        keys.add(some);
      }
    }
  }

  /** When the next object is due, in milliseconds of the clock; `undefined` if none has failed. */
  get nextDue(): number | undefined {
    if (this.#objects.size === 0) return undefined;
    let next: number | undefined;
    for (const objects of this.#classes) {
      const [first] = objects.values();
      if (first !== undefined) next = Math.min(next ?? first.due, first.due);
    }
    return next;
  }

  /** Sets the next due time of an object. If it failed in an attempt before it was due, its due time and its pause stay as they are. */
  #postpone(name: string, { keys, error }: { keys: Keys; error: Error }): void {
    const { clock, ledger, wake } = this.#options;
    const now = clock.now();
    const last = this.#objects.get(name);
    if (last !== undefined && last.due > now) return;
    this.#remove(name);
    const next = last === undefined ? 0 : Math.min(last.pauseClass + 1, lastClass);
    const pauseClass = isPermanent(error) ? lastClass : next;
    const pause = Math.min(shortest * 2 ** pauseClass, longest);
    const object = {
      keys,
      owners: ledger.ownersOf(keys),
      code: errnoOf(error) ?? error.name,
      since: last?.since ?? now,
      pauseClass,
      due: now + pause,
    };
    this.#objects.set(name, object);
    this.#classes[pauseClass]?.set(name, object);
    for (const owner of object.owners)
      this.#services.set(owner, (this.#services.get(owner) ?? 0) + 1);
    wake(pause);
  }

  #remove(name: string): void {
    const object = this.#objects.get(name);
    if (object === undefined) return;
    this.#objects.delete(name);
    this.#classes[object.pauseClass]?.delete(name);
    for (const owner of object.owners) {
      const left = (this.#services.get(owner) ?? 1) - 1;
      if (left > 0) this.#services.set(owner, left);
      else this.#services.delete(owner);
    }
  }
}

/** Whether the same operation would fail again until the object or the kernel changes. */
function isPermanent(error: Error): boolean {
  const code = errnoOf(error);
  return code === 'EINVAL' || code === 'ERANGE' || isUnsupported(error);
}

function virtualServerName(key: string): string {
  return `virtual server ${key}`;
}

function entryName(set: string, key: string): string {
  return `entry ${set} ${key}`;
}

function addressName(address: IpAddress): string {
  return `address ${address}`;
}

function rangeName(range: string): string {
  return `range ${range}`;
}

function* namesOf({ virtualServers, entries, addresses, ranges }: Keys): Generator<string> {
  for (const key of virtualServers) yield virtualServerName(key);
  for (const [set, some] of entries) for (const key of some.keys()) yield entryName(set, key);
  for (const address of addresses) yield addressName(address);
  for (const range of ranges) yield rangeName(range);
}

type ObjectOperation = Extract<
  Operation,
  | { readonly virtualServer: unknown }
  | { readonly entry: Entry }
  | { readonly address: IpAddress }
  | { readonly network: Prefix }
>;

/** Names the object that an operation is about; `undefined` if it is about something that all Services share. */
function nameOf(operation: Operation): string | undefined {
  if (!isAboutObject(operation)) return undefined;
  if ('virtualServer' in operation)
    return virtualServerName(virtualServerKey(operation.virtualServer));
  if ('entry' in operation) return entryName(operation.set, entryKey(operation.entry));
  if ('address' in operation) return addressName(operation.address);
  const { network } = operation;
  return isSingle(network) ? addressName(network.address) : rangeName(printPrefix(network));
}

function keysOf(operation: Operation): Keys {
  const keys = new Keys();
  if (!isAboutObject(operation)) return keys;
  if ('virtualServer' in operation)
    keys.addVirtualServer(virtualServerKey(operation.virtualServer));
  else if ('entry' in operation) {
    const { set, entry } = operation;
    keys.addEntry(set, { key: entryKey(entry), entry });
  } else if ('address' in operation) keys.addAddress(operation.address);
  else if (isSingle(operation.network)) keys.addAddress(operation.network.address);
  else keys.addRange(printPrefix(operation.network));
  return keys;
}

function isAboutObject(operation: Operation): operation is ObjectOperation {
  return ['virtualServer', 'entry', 'address', 'network'].some((name) => name in operation);
}
