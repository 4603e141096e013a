import { errnoOf, isUnsupported } from '../../errno/errno.ts';
import type { IpAddress } from '../../ip/address.ts';
import { type Entry, entryKey } from '../../ipset/ipset.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import type { Logger } from '../../log/log.ts';
import { type Clock, seconds } from '../../runner/clock.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { FailedOperation } from '../plan/failed-operation.ts';
import { type Operation, printOperation } from '../plan/operation.ts';

/** How long an object waits after its first failure, and at most, in milliseconds: the pause doubles with each. */
const shortest = 100;
const longest = seconds(30);
const lastClass = Math.ceil(Math.log2(longest / shortest));

/** An object in the kernel that is not as it should be. */
interface FailedObject {
  readonly keys: Keys;
  /** The Services that want it. */
  readonly owners: ReadonlySet<string>;
  /** Which pause it waits for: 0 for the shortest. */
  readonly pauseClass: number;
  readonly due: number;
}

export interface RetriesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly ledger: Ledger;
  /** Asks for a sync after some milliseconds. */
  readonly wake: (milliseconds: number) => void;
}

/**
 * Objects whose operations failed, each with a pause of its own that grows until it succeeds, so that one which can never succeed
 * delays no other. What the kernel refuses for good waits the longest pause from its first failure on.
 */
export class Retries {
  readonly #options: RetriesOptions;
  readonly #objects = new Map<string, FailedObject>();
  /** The same by pause: as all in a class wait equally long, the first is due first. */
  readonly #classes = Array.from({ length: lastClass + 1 }, () => new Map<string, FailedObject>());
  /** How many failed objects a Service has. */
  readonly #services = new Map<string, number>();

  constructor(options: RetriesOptions) {
    this.#options = options;
  }

  /** How many Services are not as they should be in the kernel. */
  get failedServices(): number {
    return this.#services.size;
  }

  /**
   * Records what came of a plan for some keys: objects without a failed operation are as they should be, save those about which
   * the plan decided nothing.
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

  /** Records operations that failed. */
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

  /** Records that a virtual server could not be read or planned, which is logged by the caller. */
  failServer(key: string, error: Error): void {
    const keys = new Keys();
    keys.addVirtualServer(key);
    this.#postpone(serverName(key), { keys, error });
  }

  /** Adds what is to be tried now. It stays here until {@link record} says how it went. */
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

  /** When the next object is to be tried; `undefined` if none has failed. */
  get nextDue(): number | undefined {
    if (this.#objects.size === 0) return undefined;
    let next: number | undefined;
    for (const objects of this.#classes) {
      const [first] = objects.values();
      if (first !== undefined) next = Math.min(next ?? first.due, first.due);
    }
    return next;
  }

  /** An object that was not due yet, and was tried for another reason, waits no longer than it did. */
  #postpone(name: string, { keys, error }: { keys: Keys; error: Error }): void {
    const { clock, ledger, wake } = this.#options;
    const now = clock.now();
    const last = this.#objects.get(name);
    if (last !== undefined && last.due > now) return;
    this.#remove(name);
    const next = last === undefined ? 0 : Math.min(last.pauseClass + 1, lastClass);
    const pauseClass = isPermanent(error) ? lastClass : next;
    const pause = Math.min(shortest * 2 ** pauseClass, longest);
    const object = { keys, owners: ledger.ownersOf(keys), pauseClass, due: now + pause };
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

/** Whether the kernel refuses an object for what it is: only a change of the object or of the kernel helps. */
function isPermanent(error: Error): boolean {
  const code = errnoOf(error);
  return code === 'EINVAL' || code === 'ERANGE' || isUnsupported(error);
}

function serverName(key: string): string {
  return `virtual server ${key}`;
}

function entryName(set: string, key: string): string {
  return `entry ${set} ${key}`;
}

function addressName(address: IpAddress): string {
  return `address ${address}`;
}

function* namesOf({ virtualServers, entries, addresses }: Keys): Generator<string> {
  for (const key of virtualServers) yield serverName(key);
  for (const [set, some] of entries) for (const key of some.keys()) yield entryName(set, key);
  for (const address of addresses) yield addressName(address);
}

type ObjectOperation = Extract<
  Operation,
  { readonly virtualServer: unknown } | { readonly entry: Entry } | { readonly address: IpAddress }
>;

/** The object that an operation is about; `undefined` for what all Services share. */
function nameOf(operation: Operation): string | undefined {
  if (!isAboutObject(operation)) return undefined;
  if ('virtualServer' in operation) return serverName(virtualServerKey(operation.virtualServer));
  if ('entry' in operation) return entryName(operation.set, entryKey(operation.entry));
  return addressName(operation.address);
}

function keysOf(operation: Operation): Keys {
  const keys = new Keys();
  if (!isAboutObject(operation)) return keys;
  if ('virtualServer' in operation)
    keys.addVirtualServer(virtualServerKey(operation.virtualServer));
  else if ('entry' in operation) {
    const { set, entry } = operation;
    keys.addEntry(set, { key: entryKey(entry), entry });
  } else keys.addAddress(operation.address);
  return keys;
}

function isAboutObject(operation: Operation): operation is ObjectOperation {
  return 'virtualServer' in operation || 'entry' in operation || 'address' in operation;
}
