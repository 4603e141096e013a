import type { VirtualServer } from '../../ipvs/ipvs.ts';
import { isSamePod } from '../desired/pod-identity.ts';
import type { RealServerState } from '../observed/mirror.ts';
import type { PlannedRealServer, PlannedServer } from './input.ts';
import { masqueraded, type Operation } from './operation.ts';
import type { Phases } from './phases.ts';

/** A virtual server that is wanted, and its real servers: new ones stand before old ones drain. */
export function planServer(
  virtualServer: VirtualServer,
  { held, realServers }: PlannedServer,
  phases: Phases,
): void {
  if (held === undefined) phases.add('serve', { kind: 'addVirtualServer', virtualServer });
  else if (differs(virtualServer, held))
    phases.add('serve', { kind: 'updateVirtualServer', virtualServer });
  for (const realServer of realServers) {
    const operation = operationFor(virtualServer, realServer);
    if (operation === undefined) continue;
    const isAway = 'realServer' in operation && operation.realServer.weight === 0;
    phases.add(isAway && operation.kind !== 'replaceRealServer' ? 'drain' : 'serve', operation);
  }
}

function operationFor(
  virtualServer: VirtualServer,
  { address, port, wanted, held, drain, isResting }: PlannedRealServer,
): Operation | undefined {
  if (wanted === undefined) {
    if (held === undefined || (held.state.weight === 0 && drain !== 'none')) return undefined;
    const realServer = masqueraded({ address, port, weight: 0 });
    return { kind: 'drainRealServer', virtualServer, realServer, podUid: held.podUid };
  }
  const { weight, podUid } = wanted;
  if (held === undefined) {
    if (weight === 0 || isResting) return undefined;
    const realServer = masqueraded({ address, port, weight });
    return { kind: 'addRealServer', virtualServer, realServer, podUid };
  }
  if (!isSamePod(podUid, held.podUid)) {
    if (held.state.weight === 0 && drain === 'endingNow') return undefined;
    const realServer = masqueraded({ address, port, weight: 0 });
    return { kind: 'replaceRealServer', virtualServer, realServer, podUid: held.podUid };
  }
  if (!hasChanged(held.state, weight)) return undefined;
  const realServer = masqueraded({ address, port, weight });
  return { kind: 'weighRealServer', virtualServer, realServer, podUid };
}

/** Whether a real server is held in another way than all of ours are wanted. */
function hasChanged(held: RealServerState, weight: number): boolean {
  return (
    held.weight !== weight ||
    held.forwarding !== 'masquerade' ||
    held.upperThreshold !== 0 ||
    held.lowerThreshold !== 0
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
