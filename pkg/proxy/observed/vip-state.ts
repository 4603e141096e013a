import type { IpAddress } from '../../ip/address.ts';
import { contains, type Prefix, printPrefix, single } from '../../ip/prefix.ts';
import type { LocalRoute } from '../../routes/routes.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { VipRoutes } from '../desired/vip-routes.ts';
import type { MirrorView } from './mirror.ts';

/** A local route that is wanted, or held, or both. */
export interface RouteState {
  readonly network: Prefix;
  readonly wanted: LocalRoute | undefined;
  /** Whether the kernel holds a route to the network; `undefined` if that is unknown. */
  readonly isHeld: boolean | undefined;
  /** Whether the kernel is known to hold the wanted one. */
  readonly isRight: boolean;
}

/** What makes a VIP local: an address of the dummy device, a route of its own, or the route of a range. */
export interface VipState {
  readonly address: IpAddress;
  /** Whether the device should have it. */
  readonly isWanted: boolean;
  /** Whether the device has it; `undefined` if that is unknown. */
  readonly isHeld: boolean | undefined;
  /** Its own route; left out if none is wanted, nor held. */
  readonly route?: RouteState;
  /** A Service has the VIP, and what is to make it local does not stand yet: what does so now has to stay. */
  readonly isPending?: true;
}

/** Whether a VIP is local by our doing: an address of the device, or a route; `undefined` if that is unknown. */
export function isLocalVip(address: IpAddress, mirror: MirrorView): boolean | undefined {
  const isHeld = mirror.hasAddress(address);
  return isHeld === true || mirror.routes.areNone
    ? isHeld
    : orUnknown(isHeld, mirror.routes.makeLocal(address));
}

function orUnknown(one: boolean | undefined, other: boolean | undefined): boolean | undefined {
  return one === true || other === true
    ? true
    : one === false && other === false
      ? false
      : undefined;
}

/** Whether an address is on the device, or has a route of its own: proof that it was ours. A range proves nothing of a single address. */
export function isOwnVip(address: IpAddress, { bound, routes }: MirrorView): boolean {
  return bound.has(address) || (!routes.areNone && routes.get(single(address)) !== undefined);
}

/** Whether an address counts as bound by us as far as was last known: as an address of the device, or by any route. */
export function wasBound(address: IpAddress, mirror: MirrorView): boolean {
  return isOwnVip(address, mirror) || mirror.routes.coverInRange(address);
}

/** Where the state of VIPs and routes is taken from. */
export interface VipSources {
  readonly ledger: Pick<Ledger, 'wantsAddress' | 'addresses'>;
  readonly mirror: MirrorView;
  readonly vipRoutes: Pick<VipRoutes, 'areUsed' | 'ownRoute' | 'rangeRoute' | 'ranges'>;
}

/** The state of one VIP. */
export function vipState(address: IpAddress, sources: VipSources): VipState {
  const { ledger, mirror, vipRoutes } = sources;
  const isServed = ledger.wantsAddress(address);
  const isHeld = mirror.hasAddress(address);
  if (!vipRoutes.areUsed && mirror.routes.areNone) return { address, isWanted: isServed, isHeld };
  const isWanted = isServed && !vipRoutes.areUsed;
  const wanted = isServed ? vipRoutes.ownRoute(address) : undefined;
  const route = routeState(single(address), { wanted, sources });
  const isReady = standsAsWanted({ address, isWanted, isHeld, route }, mirror);
  return { address, isWanted, isHeld, route, ...(isServed && !isReady && { isPending: true }) };
}

/** Whether a VIP that a Service has is local in the way that is wanted. */
function standsAsWanted(
  { address, isWanted, isHeld, route }: Omit<VipState, 'isPending'>,
  mirror: MirrorView,
): boolean {
  if (isWanted) return isHeld === true;
  return route?.wanted === undefined ? mirror.routes.coverInRange(address) : route.isRight;
}

/** The state of the route of a range. */
export function rangeState(range: Prefix, sources: VipSources): RouteState {
  return routeState(range, { wanted: sources.vipRoutes.rangeRoute(range), sources });
}

function routeState(
  network: Prefix,
  { wanted, sources: { mirror } }: { wanted: LocalRoute | undefined; sources: VipSources },
): RouteState {
  const isUnknown = mirror.routes.isUnknown(network);
  const held = mirror.routes.get(network);
  return {
    network,
    wanted,
    isHeld: isUnknown ? undefined : held !== undefined,
    isRight:
      !isUnknown && wanted !== undefined && held !== undefined && held.source === wanted.source,
  };
}

/** Whether the kernel is known to hold a VIP as wanted. */
export function isVipRight({ isWanted, isHeld, route, isPending }: VipState): boolean {
  if (isPending === true || isWanted !== isHeld) return false;
  return route === undefined || isRouteRight(route);
}

/** Whether the kernel is known to hold a route as wanted. */
export function isRouteRight({ wanted, isHeld, isRight }: RouteState): boolean {
  return wanted === undefined ? isHeld === false : isRight;
}

/** The ranges that have a route, or should have one, by their text. */
export function allRanges({ mirror, vipRoutes }: VipSources): ReadonlyMap<string, Prefix> {
  if (mirror.routes.ranges.size === 0) return vipRoutes.ranges;
  return new Map([...vipRoutes.ranges, ...mirror.routes.ranges]);
}

/** Whether a range's route must stay although it is not wanted: a Service has a VIP in it that nothing else makes local yet. */
export function isRangeNeeded(range: Prefix, sources: VipSources): boolean {
  const text = printPrefix(range);
  if (sources.vipRoutes.ranges.has(text)) return true;
  for (const address of sources.ledger.addresses())
    if (contains(range, address) && vipState(address, sources).isPending === true) return true;
  return false;
}
