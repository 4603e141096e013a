import type { IpAddress } from '../../ip/address.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';
import { CompactMap } from './compact-map.ts';

/**
 * A map from real servers of one virtual server, by address and port, without a key made of both: nearly always all of them have
 * one port. In insertion order, except that those of the port that came first go before the others.
 */
export class RealServerMap<T> {
  #port = 0;
  readonly #first = new CompactMap<IpAddress, T>();
  /** Those of other ports. */
  #others: Map<number, CompactMap<IpAddress, T>> | undefined;

  get size(): number {
    let size = this.#first.size;
    for (const some of this.#others?.values() ?? []) size += some.size;
    return size;
  }

  get({ address, port }: RealServerId): T | undefined {
    return this.#ofPort(port)?.get(address);
  }

  has(id: RealServerId): boolean {
    return this.get(id) !== undefined;
  }

  set({ address, port }: RealServerId, item: T): void {
    this.at(port).set(address, item);
  }

  /** Those of a port, by address; what is put there is in this map. */
  at(port: number): CompactMap<IpAddress, T> {
    if (this.#first.size === 0 && this.#others === undefined) this.#port = port;
    const known = this.#ofPort(port);
    if (known !== undefined) return known;
    const made = new CompactMap<IpAddress, T>();
    this.#others = (this.#others ?? new Map()).set(port, made);
    return made;
  }

  /** Visits each. Costs less than an iterator. */
  forEach(visit: (item: T, id: RealServerId) => void): void {
    const port = this.#port;
    this.#first.forEach((item, address) => visit(item, { address, port }));
    this.#others?.forEach((some, other) =>
      some.forEach((item, address) => visit(item, { address, port: other })),
    );
  }

  /** Visits each without its address and port. */
  forEachItem(visit: (item: T) => void): void {
    this.#first.forEach(visit);
    this.#others?.forEach((some) => some.forEach(visit));
  }

  /** Takes one away; false if there is none. */
  delete({ address, port }: RealServerId): boolean {
    const some = this.#ofPort(port);
    if (some?.delete(address) !== true) return false;
    if (some.size === 0) this.#others?.delete(port);
    if (this.#others?.size === 0) this.#others = undefined;
    return true;
  }

  *values(): Generator<T> {
    yield* this.#first.values();
    for (const some of this.#others?.values() ?? []) yield* some.values();
  }

  *[Symbol.iterator](): Generator<[RealServerId, T]> {
    for (const [address, item] of this.#first) yield [{ address, port: this.#port }, item];
    for (const [port, some] of this.#others ?? [])
      for (const [address, item] of some) yield [{ address, port }, item];
  }

  #ofPort(port: number): CompactMap<IpAddress, T> | undefined {
    return port === this.#port ? this.#first : this.#others?.get(port);
  }
}

/** One that is only read. */
export type ReadonlyRealServerMap<T> = Pick<
  RealServerMap<T>,
  'size' | 'get' | 'has' | 'values' | 'forEach' | typeof Symbol.iterator
>;
