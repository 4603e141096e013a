import { familyOf } from '../../ip/address.ts';
import { prefixFamily, printPrefix } from '../../ip/prefix.ts';
import type { Keys } from '../desired/keys.ts';
import type { RouteState, VipState } from '../observed/vip-state.ts';
import type { PlanInput } from './input.ts';
import type { Operation } from './operation.ts';
import type { Phases } from './phases.ts';
import { isRangeOpen } from './rules.ts';

/** The operation that makes a VIP local as it is wanted; `undefined` if none is needed. */
export function bindingOf({ address, isWanted, isHeld, route }: VipState): Operation | undefined {
  if (isWanted && isHeld !== true) return { kind: 'bindAddress', address };
  return route && additionOf(route);
}

function additionOf({ wanted, isRight }: RouteState): Operation | undefined {
  if (wanted === undefined || isRight) return undefined;
  return { kind: 'addRoute', network: wanted.network, source: wanted.source };
}

/**
 * Plans the routes of ranges. One comes after everything that it makes reachable, and not before the rule that keeps it closed; it
 * goes when each VIP in it is local by other means.
 */
export function planRanges(
  input: PlanInput,
  { phases, waiting }: { phases: Phases; waiting: Keys },
): void {
  for (const range of input.ranges) {
    const { network, wanted, isHeld, isNeeded } = range;
    if (!input.families.includes(prefixFamily(network))) continue;
    const addition = additionOf(range);
    if (addition !== undefined) {
      if (isHeld !== true && isRangeOpen(network, input)) waiting.addRange(printPrefix(network));
      else phases.add('serve', addition);
    } else if (wanted === undefined && isHeld !== false && !isNeeded)
      phases.add('unbind', { kind: 'deleteRoute', network });
  }
}

/**
 * Plans the removal of addresses and routes that are not wanted. What still makes the VIP of a Service local stays until what is to
 * do so stands; if that is among the operations of this plan, the VIP is planned again after them.
 */
export function planUnbinding(
  { addresses, families }: PlanInput,
  { phases, waiting, unmarked }: { phases: Phases; waiting: Keys; unmarked: Keys },
): void {
  for (const vip of addresses) {
    const { address, isWanted, isHeld, route, isPending } = vip;
    if (!families.includes(familyOf(address))) continue;
    const hasAddress = !isWanted && isHeld !== false;
    const hasRoute = route !== undefined && route.wanted === undefined && route.isHeld !== false;
    if (!hasAddress && !hasRoute) continue;
    if (isPending === true) {
      const isComing = bindingOf(vip) !== undefined && !waiting.addresses.has(address);
      if (isComing) unmarked.addAddress(address);
      continue;
    }
    if (hasAddress) phases.add('unbind', { kind: 'unbindAddress', address });
    if (hasRoute) phases.add('unbind', { kind: 'deleteRoute', network: route.network });
  }
}
