import { familyOf, type IpAddress } from '../../ip/address.ts';
import type { FrontEnd } from '../desired/footprint.ts';
import { type SetId, setIds } from '../desired/sets.ts';
import type { Mirror } from '../observed/mirror.ts';
import type { PlanInput } from './input.ts';
import type { Phases } from './phases.ts';

/** Rules for sets that get their first entries come before the servers, those for sets that lose their last go at the end. */
export function planRules({ wanted, held, families }: PlanInput, phases: Phases): void {
  for (const family of families) {
    const needed = wanted.nonEmptySets(family);
    const status = held.rules.get(family);
    const coming = status?.requested ?? status?.written;
    const grown = new Set<SetId>(setIds.filter((id) => needed.has(id) || coming?.has(id)));
    if (coming === undefined || grown.size > coming.size)
      phases.add('growRules', { kind: 'setRules', family, nonEmpty: grown });
    if (needed.size < grown.size)
      phases.add('shrinkRules', { kind: 'setRules', family, nonEmpty: needed });
  }
}

/** Whether rules that match on a front end's sets are still to be written. Where they cannot be, nothing waits for them. */
export function waitsForRules({ virtualServer, entries }: FrontEnd, held: Mirror): boolean {
  const status = held.rules.get(familyOf(virtualServer.address));
  if (status?.isFailing === true) return false;
  return !entries.every(({ set }) => status?.written?.has(set) === true);
}

/** Whether none of the rules for an address are known to stand, and they are on their way. */
export function hasNoRules(address: IpAddress, held: Mirror): boolean {
  const status = held.rules.get(familyOf(address));
  return status?.isFailing !== true && status?.written === undefined;
}
