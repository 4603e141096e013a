import { type IpAddress, isIPv6LinkLocal, isLoopback } from '../../ip/address.ts';
import type { LinkAddress, Links } from '../../links/links.ts';
import type { Routes } from '../../routes/routes.ts';
import { Yielder } from '../../runner/yielder.ts';
import { deviceName } from '../desired/device.ts';
import { Keys } from '../desired/keys.ts';
import type { Mirror } from './mirror.ts';
import {
  allRanges,
  isRouteRight,
  isVipRight,
  rangeState,
  type VipSources,
  vipState,
} from './vip-state.ts';

/** What VIPs are read with. */
export interface VipReadingContext {
  readonly links: Pick<Links, 'hasLink' | 'addresses'>;
  readonly routes: Pick<Routes, 'routes'>;
  readonly mirror: Mirror;
}

/**
 * Reads the device, all addresses and our routes into the mirror. Returns the addresses of the other devices; loopback and IPv6
 * link-local ones are left out.
 */
export async function readVips({
  links,
  routes,
  mirror,
}: VipReadingContext): Promise<readonly LinkAddress[]> {
  mirror.recordDevice({ isPresent: links.hasLink(deviceName) });
  const elsewhere = recordAddresses(await links.addresses(), mirror);
  mirror.routes.recordAll(await routes.routes());
  return elsewhere;
}

function recordAddresses(found: readonly LinkAddress[], mirror: Mirror): readonly LinkAddress[] {
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
  return elsewhere;
}

/**
 * Compares VIPs and ranges with what is wanted. Returns those that differ: all of IPv6 after it was turned off and on, all routes from
 * an address that went.
 */
export async function wrongVips(
  sources: VipSources & { readonly now: () => number },
): Promise<Keys> {
  const wrong = new Keys();
  const yielder = new Yielder(sources.now);
  for (const [text, range] of allRanges(sources))
    if (!isRouteRight(rangeState(range, sources))) wrong.addRange(text);
  for (const address of wantedOrHeld(sources)) {
    if (!isVipRight(vipState(address, sources))) wrong.addAddress(address);
    if (yielder.isDueAmongMany) await yielder.yieldIfDue();
  }
  return wrong;
}

/** All VIPs that are wanted or that the kernel has. One that is bound and has a route, though nobody wants it, comes twice. */
function* wantedOrHeld({ ledger, mirror }: VipSources): Generator<IpAddress> {
  yield* ledger.addresses();
  for (const held of [mirror.bound, mirror.routes.addresses()])
    for (const address of held) if (!ledger.wantsAddress(address)) yield address;
}
