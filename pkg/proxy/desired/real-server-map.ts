import type { IpAddress } from '../../ip/address.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';
import {
  type CompactEntries,
  entriesByAddress,
  entryCount,
  entryValue,
  entryValues,
  forEachEntry,
  iterateEntries,
  noEntries,
  withEntry,
  withoutEntry,
} from './compact-entries.ts';

type OfPort<T> = CompactEntries<IpAddress, T>;

/**
 * A map from the real servers of one virtual server by address and port, without text keys, as nearly always all have one port. In
 * insertion order, except that those with the first port come before all others.
 */
export class RealServerMap<T> {
  #port = 0;
  #first: OfPort<T> = noEntries;
  /** Those with other ports. */
  #others: Map<number, OfPort<T>> | undefined;

  get size(): number {
    let size = entryCount(this.#first);
    if (this.#others !== undefined)
      for (const some of this.#others.values()) size += entryCount(some);
    return size;
  }

  /** The port that all have; `undefined` if there are several. */
  get onlyPort(): number | undefined {
    return this.#others === undefined ? this.#port : undefined;
  }

  get({ address, port }: RealServerId): T | undefined {
    const some = port === this.#port ? this.#first : this.#others?.get(port);
    return some === undefined ? undefined : entryValue(some, address);
  }

  has(id: RealServerId): boolean {
    return this.get(id) !== undefined;
  }

  set({ address, port }: RealServerId, item: T): void {
    if (entryCount(this.#first) === 0 && this.#others === undefined) this.#port = port;
    const entry = { key: address, value: item };
    if (port === this.#port) this.#first = withEntry(this.#first, entry);
    else {
      this.#others ??= new Map();
      this.#others.set(port, withEntry(this.#others.get(port) ?? noEntries, entry));
    }
  }

  /** Sets an item for each of some addresses, all with one port. */
  setAll<From extends { readonly address: IpAddress }>(
    port: number,
    all: readonly From[],
    itemOf: (from: From) => T,
  ): void {
    if (this.size === 0) {
      this.#port = port;
      this.#first = entriesByAddress(all, itemOf);
    } else for (const one of all) this.set({ address: one.address, port }, itemOf(one));
  }

  /** Removes one. False if there is none. */
  delete({ address, port }: RealServerId): boolean {
    const some = port === this.#port ? this.#first : this.#others?.get(port);
    if (some === undefined || entryValue(some, address) === undefined) return false;
    const left = withoutEntry(some, address);
    if (port === this.#port) this.#first = left;
    else if (entryCount(left) > 0) this.#others?.set(port, left);
    else this.#others?.delete(port);
    if (this.#others?.size === 0) this.#others = undefined;
    return true;
  }

  /** Visits each. Costs less than an iterator. */
  forEach(visit: (item: T, id: RealServerId) => void): void {
    const port = this.#port;
    forEachEntry(this.#first, (item: T, address) => visit(item, { address, port }));
    this.#others?.forEach((some, other) =>
      forEachEntry(some, (item: T, address) => visit(item, { address, port: other })),
    );
  }

  /** Visits each without its address and port. */
  forEachItem(visit: (item: T) => void): void {
    forEachEntry(this.#first, visit);
    this.#others?.forEach((some) => forEachEntry(some, visit));
  }

  values(): Iterable<T> {
    if (this.#others === undefined) return entryValues(this.#first);
    const values: T[] = [];
    this.forEachItem((item) => values.push(item));
    return values;
  }

  *[Symbol.iterator](): Generator<[RealServerId, T]> {
    const port = this.#port;
    for (const [address, item] of iterateEntries(this.#first)) yield [{ address, port }, item];
    for (const [other, some] of this.#others ?? [])
      for (const [address, item] of iterateEntries(some)) yield [{ address, port: other }, item];
  }
}

/** One that is only read. */
export type ReadonlyRealServerMap<T> = Pick<
  RealServerMap<T>,
  'size' | 'get' | 'has' | 'values' | 'forEach' | typeof Symbol.iterator
>;
