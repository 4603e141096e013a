import { familyOf, type IpAddress } from '../../ip/address.ts';
import type { SetEntry } from '../desired/footprint.ts';
import { bothContents, isSameContent, noRuleContent } from '../desired/rule-content.ts';
import { isClosedToNode } from '../desired/source-ranges.ts';
import type { RuleStatus } from '../observed/mirror.ts';
import type { PlanInput, PlannedServer } from './input.ts';
import type { Phases } from './phases.ts';

/** Rules for what is new come before the virtual servers, those for what is gone go at the end. */
export function planRules({ rules }: PlanInput, phases: Phases): void {
  for (const { family, needed, status } of rules) {
    const coming = status?.requested ?? status?.written;
    if (coming !== undefined && isSameContent(needed, coming)) continue;
    const grown = bothContents(needed, coming ?? noRuleContent);
    if (coming === undefined || !isSameContent(grown, coming))
      phases.add('growRules', { kind: 'setRules', family, content: grown });
    if (!isSameContent(needed, grown))
      phases.add('shrinkRules', { kind: 'setRules', family, content: needed });
  }
}

/**
 * Whether rules that match on a front end's sets are still to be written. Where they cannot be, nothing waits for them but what would
 * be open to strangers without.
 */
export function waitsForRules({ key, frontEnd }: PlannedServer, input: PlanInput): boolean {
  if (frontEnd === undefined) return false;
  const { virtualServer, entries } = frontEnd;
  const { written, isFailing = false } = statusFor(virtualServer.address, input) ?? {};
  if (isClosedToNode(entries) && written?.closedToNode.has(key) !== true) return true;
  const isMissing = ({ set }: SetEntry) => written?.nonEmpty.has(set) !== true;
  return entries.some((some) => isMissing(some) && (!isFailing || some.set === 'loadBalancerFw'));
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
