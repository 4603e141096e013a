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
  const wrong = new Keys();
  const read = await readVips(context);
  for (const address of read.addresses)
    if (!isVipRight(vipState(address, context))) wrong.addAddress(address);
  for (const [text, range] of allRanges(context))
    if (!isRouteRight(rangeState(range, context))) wrong.addRange(text);
  return wrong;
}

/** Reads the device, all addresses and our routes. Returns the keys of those that are held or wanted. */
export async function readVips(context: VipReadingContext): Promise<Keys> {
  const { links, routes, mirror, ledger, vipRoutes, now } = context;
  const keys = new Keys();
  const yielder = new Yielder(now);
  for (const address of mirror.bound) keys.addAddress(address);
  mirror.recordDevice({ isPresent: links.hasLink(deviceName) });
  recordAddresses(await links.addresses(), { context, keys });
  mirror.routes.recordAll(await routes.routes());
  vipRoutes.refresh(mirror.routes.ranges);
  for (const address of mirror.routes.addresses()) keys.addAddress(address);
  for (const text of allRanges(context).keys()) keys.addRange(text);
  for (const address of ledger.addresses()) {
    keys.addAddress(address);
    if (yielder.isDue) await yielder.yieldIfDue();
  }
  return keys;
}

/** Records what the device has, and what the others have. The node's own addresses leave out loopback and IPv6 link-local ones. */
function recordAddresses(
  found: readonly LinkAddress[],
  { context, keys }: { context: VipReadingContext; keys: Keys },
): void {
  const { mirror, ledger, vipRoutes, foreignVips } = context;
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
    keys.addAddress(address);
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
