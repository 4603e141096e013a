import type { IpAddress } from '../../ip/address.ts';
import { contains, isSingle, type Prefix, printPrefix, single } from '../../ip/prefix.ts';
import type { LocalRoute } from '../../routes/routes.ts';

/** A read-only view of the local routes of ours that the kernel holds, as far as it is known. */
export type HeldRoutesView = Omit<
  HeldRoutes,
  'record' | 'recordDeleted' | 'recordFailed' | 'recordAll'
>;

/** The local routes of ours that the kernel holds. After a write that failed a route is unknown until it is written again or read. */
export class HeldRoutes {
  readonly #routes = new Map<string, LocalRoute>();
  readonly #ranges = new Map<string, Prefix>();
  readonly #unknown = new Set<string>();

  /** Whether the kernel is known to have none. */
  get areNone(): boolean {
    return this.#routes.size + this.#unknown.size === 0;
  }

  /** The networks of more than one address that have a route, by their text. */
  get ranges(): ReadonlyMap<string, Prefix> {
    return this.#ranges;
  }

  /** The route to a network as it was last known; `undefined` if there was none. */
  get(network: Prefix): LocalRoute | undefined {
    return this.#routes.get(printPrefix(network));
  }

  /** Whether the state of the route to a network is unknown. */
  isUnknown(network: Prefix): boolean {
    return this.#unknown.size > 0 && this.#unknown.has(printPrefix(network));
  }

  /** Whether a route makes an address local, its own or that of a range; `undefined` if that is unknown. */
  makeLocal(address: IpAddress): boolean | undefined {
    if (this.areNone) return false;
    if (this.coverInRange(address)) return true;
    const own = single(address);
    return this.isUnknown(own) ? undefined : this.get(own) !== undefined;
  }

  /** Whether the route of a range makes an address local. */
  coverInRange(address: IpAddress): boolean {
    for (const [text, range] of this.#ranges)
      if (!this.#unknown.has(text) && contains(range, address)) return true;
    return false;
  }

  /** The addresses that have a route of their own. */
  *addresses(): Generator<IpAddress> {
    for (const { network } of this.#routes.values()) if (isSingle(network)) yield network.address;
  }

  /** Records that the kernel has a route. */
  record(route: LocalRoute): void {
    const key = printPrefix(route.network);
    this.#unknown.delete(key);
    this.#routes.set(key, route);
    if (!isSingle(route.network)) this.#ranges.set(key, route.network);
  }

  /** Records that the kernel has no route to a network. */
  recordDeleted(network: Prefix): void {
    const key = printPrefix(network);
    this.#unknown.delete(key);
    this.#routes.delete(key);
    this.#ranges.delete(key);
  }

  /** Records that a write of a route failed, or that its answer was lost. */
  recordFailed(network: Prefix): void {
    this.#unknown.add(printPrefix(network));
  }

  /** Records all routes, as dumped. */
  recordAll(routes: Iterable<LocalRoute>): void {
    for (const map of [this.#routes, this.#ranges, this.#unknown]) map.clear();
    for (const route of routes) this.record(route);
  }
}
