import { familyOf, type IpAddress } from '../../ip/address.ts';
import { type Prefix, printPrefix } from '../../ip/prefix.ts';
import type { SetEntry } from '../desired/footprint.ts';
import { bothContents, isSameContent } from '../desired/rule-content.ts';
import { isClosedToNode } from '../desired/source-ranges.ts';
import { comingContent, type RuleStatus } from '../observed/mirror.ts';
import type { PlanInput, PlannedVirtualServer } from './input.ts';
import type { Phases } from './phases.ts';

/** Plans the writes of each family's rules: one that adds, before the virtual servers, and one that removes, at the end. */
export function planRules({ rules }: PlanInput, phases: Phases): void {
  for (const { family, needed, status, denying } of rules) {
    const coming = comingContent(status);
    if (coming !== undefined && isSameContent(needed, coming)) continue;
    // After a start the present rules are unknown. Rules that may deny stay until there are no more entries for them.
    const grown = bothContents(needed, coming ?? { ...needed, nonEmpty: denying });
    if (coming === undefined || !isSameContent(grown, coming))
      phases.add('growRules', { kind: 'setRules', family, content: grown });
    if (coming === undefined) continue;
    if (!isSameContent(needed, grown))
      phases.add('shrinkRules', { kind: 'setRules', family, content: needed });
  }
}

/**
 * Whether the rules that match on a front end's sets are still to be written. If they cannot be written, only front ends wait that
 * would be open to clients that they must deny.
 */
export function waitsForRules({ key, frontEnd }: PlannedVirtualServer, input: PlanInput): boolean {
  if (frontEnd === undefined) return false;
  const { virtualServer, entries } = frontEnd;
  const status = statusFor(virtualServer.address, input);
  if (isClosedToNode(entries) && status?.written?.closedToNode.has(key) !== true) return true;
  const isNeeded = ({ set }: SetEntry) => status?.isFailing !== true || set === 'loadBalancerFw';
  return entries.some((some) => isNeeded(some) && !hasRulesOf(some, status));
}

/**
 * Whether the rule that denies clients from outside is still to be written. Until then the real servers stay as they are. If it
 * cannot be written, nothing waits for it.
 */
export function waitsForDenial(
  { frontEnd, denial }: PlannedVirtualServer,
  input: PlanInput,
): boolean {
  if (frontEnd === undefined || denial === undefined) return false;
  const status = statusFor(frontEnd.virtualServer.address, input);
  return status?.isFailing !== true && !hasRulesOf(denial, status);
}

/** Whether the rules of an entry's set are written, and no pending write removes them. */
function hasRulesOf({ set }: SetEntry, status: RuleStatus | undefined): boolean {
  if (status?.written === undefined) return false;
  const { written, writing = written, requested = written } = status;
  return written.nonEmpty.has(set) && writing.nonEmpty.has(set) && requested.nonEmpty.has(set);
}

/** Whether the rule that closes a range of VIPs is still to be written, or a pending write removes it. If it cannot be written, nothing waits for it. */
export function isRangeOpen({ address, length }: Prefix, input: PlanInput): boolean {
  const status = statusFor(address, input);
  if (status?.isFailing === true) return false;
  if (status?.written === undefined) return true;
  const { written, writing = written, requested = written } = status;
  const text = printPrefix({ address, length });
  return ![written, writing, requested].every(({ closedRanges }) => closedRanges.has(text));
}

/** Whether no rules for an address are known to be written, and a write is pending. */
export function hasNoRules(address: IpAddress, input: PlanInput): boolean {
  const status = statusFor(address, input);
  return status?.isFailing !== true && status?.written === undefined;
}

function statusFor(address: IpAddress, { rules }: PlanInput): RuleStatus | undefined {
  const family = familyOf(address);
  for (const some of rules) if (some.family === family) return some.status;
  return undefined;
}
