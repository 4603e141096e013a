import type { FrontEnd } from '../desired/footprint.ts';
import { isPodKnown, isSamePod, unknownPod } from '../desired/pod-identity.ts';
import { masqueradedState, type WantedRealServer } from '../desired/real-servers.ts';
import type { HeldRealServer } from './held-real-servers.ts';
import type { HeldVirtualServer } from './mirror.ts';
import { hasOtherSettings, hasOtherState } from './other-state.ts';

/**
 * Whether a virtual server is held with all its real servers just as a Service wants them, so that a plan for it would be empty. False
 * also where only a plan can tell: while real servers drain, or stand in for local ones.
 */
export function isSettled(
  frontEnd: FrontEnd | undefined,
  held: HeldVirtualServer | undefined,
): boolean {
  if (frontEnd?.owner === undefined || held === undefined) return false;
  const { virtualServer, realServers, options } = frontEnd;
  if (hasOtherSettings(held.virtualServer, virtualServer) || realServers.isFallback) return false;
  const { connectionLimit } = options;
  let count = 0;
  for (const wanted of realServers.values()) {
    const one = held.realServers.get(wanted);
    if (one === undefined) {
      // One that is to get no new connections is not added.
      if (wanted.weight > 0) return false;
      continue;
    }
    if (!isAsWanted(one, { wanted, connectionLimit })) return false;
    count++;
  }
  return count === held.realServers.size;
}

function isAsWanted(
  { podUid, state }: HeldRealServer,
  { wanted, connectionLimit }: { wanted: WantedRealServer; connectionLimit: number | undefined },
): boolean {
  const isToBeLearned = podUid === unknownPod && isPodKnown(wanted.podUid);
  if (isToBeLearned || !isSamePod(wanted.podUid, podUid)) return false;
  return !hasOtherState(state, masqueradedState({ weight: wanted.weight, connectionLimit }));
}
