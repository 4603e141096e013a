import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { VipRoutes } from '../desired/vip-routes.ts';
import type { MirrorView } from '../observed/mirror.ts';
import { allRanges, isLocalVip } from '../observed/vip-state.ts';

/**
 * Finds what has to be planned again when VIPs move from one way of being local to another: addresses that the route of a range took
 * over from, ranges whose VIPs are local by other means by now, routes whose source changed.
 */
export class VipMoves {
  readonly #ledger: Ledger;
  readonly #mirror: MirrorView;
  readonly #vipRoutes: VipRoutes;
  /** The ranges that had a route when it was last looked. */
  #ranges = '';

  constructor({
    ledger,
    mirror,
    vipRoutes,
  }: { ledger: Ledger; mirror: MirrorView; vipRoutes: VipRoutes }) {
    this.#ledger = ledger;
    this.#mirror = mirror;
    this.#vipRoutes = vipRoutes;
  }

  /** What is to be planned after anything was: what {@link takeMoved} says, and routes of ranges that are to go. */
  takeUnsettled(): Keys {
    const keys = this.takeMoved();
    for (const text of this.#mirror.routes.ranges.keys())
      if (!this.#vipRoutes.ranges.has(text)) keys.addRange(text);
    if (!this.#vipRoutes.takeChange()) return keys;
    for (const text of this.#all().keys()) keys.addRange(text);
    // One that is not local yet is planned with its virtual servers, which may wait for something.
    for (const address of this.#ledger.addresses())
      if (isLocalVip(address, this.#mirror) !== false) keys.addAddress(address);
    return keys;
  }

  /** What is to be planned because routes of ranges came or went since it was last looked. */
  takeMoved(): Keys {
    const { routes, bound } = this.#mirror;
    const keys = new Keys();
    this.#vipRoutes.refresh(routes.ranges);
    const ranges = [...routes.ranges.keys()].join(' ');
    if (ranges === this.#ranges) return keys;
    for (const text of [...this.#ranges.split(' '), ...this.#all().keys()])
      if (text !== '') keys.addRange(text);
    this.#ranges = ranges;
    for (const addresses of [bound, routes.addresses()])
      for (const address of addresses) if (routes.coverInRange(address)) keys.addAddress(address);
    return keys;
  }

  #all(): ReturnType<typeof allRanges> {
    return allRanges({ ledger: this.#ledger, mirror: this.#mirror, vipRoutes: this.#vipRoutes });
  }
}
