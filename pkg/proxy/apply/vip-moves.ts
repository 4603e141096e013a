import { isSingle, type Prefix, prefix } from '../../ip/prefix.ts';
import type { LinkAddress } from '../../links/links.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { VipRoutes } from '../desired/vip-routes.ts';
import type { ForeignVips } from '../observed/foreign-vips.ts';
import type { MirrorView } from '../observed/mirror.ts';
import { wrongVips } from '../observed/vip-reader.ts';
import { allRanges, isLocalVip } from '../observed/vip-state.ts';

export interface VipMovesOptions {
  readonly ledger: Pick<Ledger, 'addresses' | 'wantsAddress'>;
  readonly mirror: MirrorView;
  readonly vipRoutes: VipRoutes;
  readonly foreignVips: Pick<ForeignVips, 'note'>;
  readonly now: () => number;
}

/**
 * Lets the routes that are wanted follow the addresses and routes that were read. Finds what has to be planned again when VIPs move from
 * one way of being local to another: addresses that the route of a range took over from, ranges whose VIPs are local by other means by
 * now, routes whose source changed.
 */
export class VipMoves {
  readonly #options: VipMovesOptions;
  /** The ranges that had a route when it was last looked. */
  #ranges = '';

  constructor(options: VipMovesOptions) {
    this.#options = options;
  }

  /**
   * Has the routes that are wanted follow what was read, given the addresses of the other devices, and reports those that Services have
   * too. Returns the VIPs and ranges that are not as wanted.
   */
  async follow(elsewhere: readonly LinkAddress[]): Promise<Keys> {
    const { ledger, mirror, vipRoutes, foreignVips } = this.#options;
    const { areUsed } = vipRoutes;
    vipRoutes.observe({
      nodeAddresses: mirror.nodeAddresses,
      connected: areUsed ? networksOf(elsewhere) : [],
    });
    if (areUsed) foreignVips.note(elsewhere.filter(({ address }) => ledger.wantsAddress(address)));
    vipRoutes.refresh(mirror.routes.ranges);
    return await wrongVips(this.#options);
  }

  /** What is to be planned after anything was: what {@link takeMoved} says, and routes of ranges that are to go. */
  takeUnsettled(): Keys {
    const { ledger, mirror, vipRoutes } = this.#options;
    const keys = this.takeMoved();
    for (const text of mirror.routes.ranges.keys())
      if (!vipRoutes.ranges.has(text)) keys.addRange(text);
    if (!vipRoutes.takeChange()) return keys;
    for (const text of allRanges(this.#options).keys()) keys.addRange(text);
    // One that is not local yet is planned with its virtual servers, which may wait for something.
    for (const address of ledger.addresses())
      if (isLocalVip(address, mirror) !== false) keys.addAddress(address);
    return keys;
  }

  /** What is to be planned because routes of ranges came or went since it was last looked. */
  takeMoved(): Keys {
    const { mirror, vipRoutes } = this.#options;
    const { routes, bound } = mirror;
    const keys = new Keys();
    vipRoutes.refresh(routes.ranges);
    const ranges = [...routes.ranges.keys()].join(' ');
    if (ranges === this.#ranges) return keys;
    for (const text of [...this.#ranges.split(' '), ...allRanges(this.#options).keys()])
      if (text !== '') keys.addRange(text);
    this.#ranges = ranges;
    for (const addresses of [bound, routes.addresses()])
      for (const address of addresses) if (routes.coverInRange(address)) keys.addAddress(address);
    return keys;
  }
}

/** The networks of more than one address that devices are connected to. */
function networksOf(addresses: readonly LinkAddress[]): readonly Prefix[] {
  return addresses
    .map(({ address, prefixLength }) => prefix(address, prefixLength))
    .filter((network) => !isSingle(network));
}
