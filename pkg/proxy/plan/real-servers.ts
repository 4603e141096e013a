import type { RealServer, VirtualServer } from '../../ipvs/ipvs.ts';
import { type Claim, isSamePod } from '../desired/ledger.ts';
import type { WantedRealServer } from '../desired/real-servers.ts';
import type { HeldRealServer, HeldServer } from '../observed/mirror.ts';
import type { PlanInput } from './input.ts';
import { masqueraded } from './operation.ts';
import type { Phases } from './phases.ts';

/** One virtual server and its real servers: new ones stand before old ones drain. */
export function planServer(
  { frontEnd }: Claim,
  { present, input, phases }: { present: HeldServer | undefined; input: PlanInput; phases: Phases },
): void {
  const { virtualServer } = frontEnd;
  if (present === undefined) phases.add('serve', { kind: 'addVirtualServer', virtualServer });
  else if (differs(virtualServer, present.virtualServer))
    phases.add('serve', { kind: 'updateVirtualServer', virtualServer });
  const wanted = frontEnd.realServers;
  for (const [key, realServer] of wanted) {
    const held = present?.realServers.get(key);
    planRealServer(virtualServer, { wanted: realServer, present: held, input, phases });
  }
  for (const [key, realServer] of present?.realServers ?? []) {
    if (wanted.has(key) || (realServer.weight === 0 && input.isDraining(virtualServer, realServer)))
      continue;
    const drained = { ...masqueraded(realServer), weight: 0 };
    phases.add('drain', {
      kind: 'drainRealServer',
      virtualServer,
      realServer: drained,
      podUid: realServer.podUid,
    });
  }
}

function planRealServer(
  virtualServer: VirtualServer,
  {
    wanted,
    present,
    input,
    phases,
  }: {
    wanted: WantedRealServer;
    present: HeldRealServer | undefined;
    input: PlanInput;
    phases: Phases;
  },
): void {
  const { podUid } = wanted;
  const realServer = masqueraded(wanted);
  if (present === undefined) {
    const isDue = realServer.weight > 0 && !input.isResting(virtualServer, wanted);
    if (isDue) phases.add('serve', { kind: 'addRealServer', virtualServer, realServer, podUid });
  } else if (!isSamePod(podUid, present.podUid)) {
    if (present.weight === 0 && input.isEndingNow(virtualServer, present)) return;
    phases.add('serve', {
      kind: 'replaceRealServer',
      virtualServer,
      realServer: { ...realServer, weight: 0 },
      podUid: present.podUid,
    });
  } else if (hasChanged(realServer, present)) {
    phases.add(realServer.weight > 0 ? 'serve' : 'drain', {
      kind: 'weighRealServer',
      virtualServer,
      realServer,
      podUid,
    });
  }
}

function hasChanged(wanted: RealServer, held: RealServer): boolean {
  return (
    wanted.weight !== held.weight ||
    wanted.forwarding !== held.forwarding ||
    wanted.upperThreshold !== held.upperThreshold ||
    wanted.lowerThreshold !== held.lowerThreshold
  );
}

function differs(wanted: VirtualServer, held: VirtualServer): boolean {
  return (
    wanted.scheduler !== held.scheduler ||
    wanted.flags !== held.flags ||
    wanted.timeout !== held.timeout ||
    wanted.prefixLength !== held.prefixLength ||
    wanted.persistenceEngine !== held.persistenceEngine
  );
}
