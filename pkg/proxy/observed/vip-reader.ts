import { type IpAddress, isIPv6LinkLocal, isLoopback } from '../../ip/address.ts';
import { isSingle, type Prefix, prefix } from '../../ip/prefix.ts';
import type { LinkAddress, Links } from '../../links/links.ts';
import type { Routes } from '../../routes/routes.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Yielder } from '../../runner/yielder.ts';
import { deviceName } from '../desired/device.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { VipRoutes } from '../desired/vip-routes.ts';
import type { ForeignVips } from './foreign-vips.ts';
import type { Mirror } from './mirror.ts';
import { allRanges, isRouteRight, isVipRight, rangeState, vipState } from './vip-state.ts';

/** What VIPs are read with, and what tells how they should be. */
export interface VipReadingContext {
  readonly links: Pick<Links, 'hasLink' | 'addresses'>;
  readonly routes: Pick<Routes, 'routes'>;
  readonly mirror: Mirror;
  /** The wanted state. Only read. */
  readonly ledger: Pick<Ledger, 'addresses' | 'wantsAddress'>;
  readonly vipRoutes: VipRoutes;
  readonly foreignVips: Pick<ForeignVips, 'note'>;
  readonly now: () => number;
}

/**
 * Reads the device, all addresses and our routes. Returns the VIPs and the ranges that are not as wanted: all of IPv6 after it was
 * turned off and on, all routes from an address that went.
 */
export async function readAddresses(context: VipReadingContext, token: MutexToken): Promise<Keys> {
  token.check();
  return readVips(context);
}

/** Like {@link readAddresses}, for those who hold the token already. */
export async function readVips(context: VipReadingContext): Promise<Keys> {
  const { links, routes, mirror, vipRoutes, now } = context;
  mirror.recordDevice({ isPresent: links.hasLink(deviceName) });
  recordAddresses(await links.addresses(), context);
  mirror.routes.recordAll(await routes.routes());
  vipRoutes.refresh(mirror.routes.ranges);
  const wrong = new Keys();
  const yielder = new Yielder(now);
  for (const [text, range] of allRanges(context))
    if (!isRouteRight(rangeState(range, context))) wrong.addRange(text);
  for (const address of wantedOrHeld(context)) {
    if (!isVipRight(vipState(address, context))) wrong.addAddress(address);
    if (yielder.isDue) await yielder.yieldIfDue();
  }
  return wrong;
}

/** All VIPs that are wanted or that the kernel has. One that is bound and has a route, though nobody wants it, comes twice. */
function* wantedOrHeld({ ledger, mirror }: VipReadingContext): Generator<IpAddress> {
  yield* ledger.addresses();
  for (const held of [mirror.bound, mirror.routes.addresses()])
    for (const address of held) if (!ledger.wantsAddress(address)) yield address;
}

/** Records what the device has, and what the others have. The node's own addresses leave out loopback and IPv6 link-local ones. */
function recordAddresses(
  found: readonly LinkAddress[],
  { mirror, ledger, vipRoutes, foreignVips }: VipReadingContext,
): void {
  const bound = new Set<IpAddress>();
  const elsewhere: LinkAddress[] = [];
  for (const one of found) {
    const { link, address } = one;
    if (isIPv6LinkLocal(address)) continue;
    if (link !== deviceName) {
      if (!isLoopback(address)) elsewhere.push(one);
      continue;
    }
    bound.add(address);
  }
  mirror.recordAddresses(bound);
  mirror.recordNodeAddresses(new Set(elsewhere.map(({ address }) => address)));
  vipRoutes.observe({
    nodeAddresses: mirror.nodeAddresses,
    connected: vipRoutes.areUsed ? networksOf(elsewhere) : [],
  });
  if (vipRoutes.areUsed)
    foreignVips.note(elsewhere.filter(({ address }) => ledger.wantsAddress(address)));
}

/** The networks of more than one address that devices are connected to. */
function networksOf(addresses: readonly LinkAddress[]): readonly Prefix[] {
  return addresses
    .map(({ address, prefixLength }) => prefix(address, prefixLength))
    .filter((network) => !isSingle(network));
}
