import { familyOf, type IpAddress } from '../../ip/address.ts';
import type { SetEntry } from '../desired/footprint.ts';
import { setIds } from '../desired/sets.ts';
import type { RuleStatus } from '../observed/mirror.ts';
import type { PlanInput, PlannedServer } from './input.ts';
import type { Phases } from './phases.ts';

/** Rules for sets that get their first entries come before the servers, those for sets that lose their last go at the end. */
export function planRules({ rules }: PlanInput, phases: Phases): void {
  for (const { family, needed, status } of rules) {
    const coming = status?.requested ?? status?.written;
    if (coming !== undefined && isSame(needed, coming)) continue;
    const grown = new Set(setIds.filter((id) => needed.has(id) || coming?.has(id) === true));
    if (coming === undefined || !isSame(grown, coming))
      phases.add('growRules', { kind: 'setRules', family, nonEmpty: grown });
    if (!isSame(needed, grown))
      phases.add('shrinkRules', { kind: 'setRules', family, nonEmpty: needed });
  }
}

function isSame<T>(one: ReadonlySet<T>, other: ReadonlySet<T>): boolean {
  if (one === other) return true;
  if (one.size !== other.size) return false;
  for (const item of one) if (!other.has(item)) return false;
  return true;
}

/**
 * Whether rules that match on a front end's sets are still to be written. Where they cannot be, nothing waits for them but what would
 * be open to strangers without.
 */
export function waitsForRules({ frontEnd }: PlannedServer, input: PlanInput): boolean {
  if (frontEnd === undefined) return false;
  const status = statusFor(frontEnd.virtualServer.address, input);
  const isMissing = ({ set }: SetEntry) => status?.written?.has(set) !== true;
  if (status?.isFailing === true)
    return frontEnd.entries.some((some) => some.set === 'loadBalancerFw' && isMissing(some));
  return frontEnd.entries.some(isMissing);
}

/** Whether none of the rules for an address are known to stand, and they are on their way. */
export function hasNoRules(address: IpAddress, input: PlanInput): boolean {
  const status = statusFor(address, input);
  return status?.isFailing !== true && status?.written === undefined;
}

function statusFor(address: IpAddress, { rules }: PlanInput): RuleStatus | undefined {
  const family = familyOf(address);
  return rules.find((some) => some.family === family)?.status;
}
