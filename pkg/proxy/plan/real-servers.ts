import type { RealServer, VirtualServer } from '../../ipvs/ipvs.ts';
import type { WantedRealServer } from '../desired/real-servers.ts';
import { type Claim, isSamePod } from '../desired/ledger.ts';
import type { HeldRealServer, HeldServer } from '../observed/mirror.ts';
import type { PlanInput } from './input.ts';
import { masqueraded } from './operation.ts';
import type { Phases } from './phases.ts';

/** One virtual server and its real servers: new ones stand before old ones drain. */
export function planServer(
  { frontEnd }: Claim,
  { present, input, phases }: { present: HeldServer | undefined; input: PlanInput; phases: Phases },
): void {
  const { server } = frontEnd;
  if (present === undefined) phases.add('serve', { kind: 'addVirtualServer', server });
  else if (differs(server, present.server))
    phases.add('serve', { kind: 'updateVirtualServer', server });
  const wanted = frontEnd.realServers;
  for (const [key, realServer] of wanted) {
    const held = present?.realServers.get(key);
    planRealServer(server, { wanted: realServer, present: held, input, phases });
  }
  for (const [key, backend] of present?.realServers ?? []) {
    if (wanted.has(key) || (backend.weight === 0 && input.isDraining(server, backend))) continue;
    const drained = { ...masqueraded(backend), weight: 0 };
    phases.add('drain', {
      kind: 'drainRealServer',
      server,
      backend: drained,
      podUid: backend.podUid,
    });
  }
}

function planRealServer(
  server: VirtualServer,
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
  const backend = masqueraded(wanted);
  if (present === undefined) {
    const isDue = backend.weight > 0 && !input.isResting(server, wanted);
    if (isDue) phases.add('serve', { kind: 'addRealServer', server, backend, podUid });
  } else if (!isSamePod(podUid, present.podUid)) {
    if (present.weight === 0 && input.isEndingNow(server, present)) return;
    phases.add('serve', {
      kind: 'replaceRealServer',
      server,
      backend: { ...backend, weight: 0 },
      podUid: present.podUid,
    });
  } else if (hasChanged(backend, present)) {
    phases.add(backend.weight > 0 ? 'serve' : 'drain', {
      kind: 'weighRealServer',
      server,
      backend,
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
