import type { VirtualServer } from '../../ipvs/ipvs.ts';
import { isSamePod } from '../desired/pod-identity.ts';
import { type AlikeRealServers, masqueraded, masqueradedState } from '../desired/real-servers.ts';
import { hasOtherSettings, hasOtherState } from '../observed/other-state.ts';
import type { PlannedRealServer, PlannedVirtualServer } from './input.ts';
import type { Operation } from './operation.ts';
import type { Phases } from './phases.ts';
import { firstOf, inRotation } from './rotation.ts';

/** A virtual server that is wanted, and its real servers: new ones stand before old ones drain. */
export function planVirtualServer(
  virtualServer: VirtualServer,
  { held, realServers, alike, frontEnd }: PlannedVirtualServer,
  { phases, rotation }: { phases: Phases; rotation: number },
): void {
  if (held === undefined) phases.add('serve', { kind: 'addVirtualServer', virtualServer });
  else if (hasOtherSettings(held, virtualServer))
    phases.add('serve', { kind: 'updateVirtualServer', virtualServer });
  const connectionLimit = frontEnd?.options.connectionLimit;
  if (alike !== undefined) {
    planAlike(virtualServer, alike, { phases, rotation, connectionLimit });
    return;
  }
  const shared = { virtualServer, connectionLimit };
  const added: Addition[] = [];
  realServers.forEach((realServer) => {
    const operation = operationFor(realServer, shared);
    if (operation?.kind === 'addRealServer') added.push(operation);
    else if (operation !== undefined) phases.add(isAway(operation) ? 'drain' : 'serve', operation);
  });
  if (added.length > 0) phases.addAll('serve', inRotation(added, rotation));
}

/** How many real servers one operation adds at most, so that none holds the event loop for long. */
const mostAlike = 64;

function planAlike(
  virtualServer: VirtualServer,
  { port, realServers }: AlikeRealServers,
  {
    phases,
    rotation,
    connectionLimit,
  }: { phases: Phases; rotation: number; connectionLimit: number | undefined },
): void {
  if (realServers.length === 0) return;
  const state = masqueradedState({ weight: 1, connectionLimit });
  const kind = 'addRealServers';
  if (realServers.length <= mostAlike) {
    const first = firstOf(realServers, rotation);
    phases.add('serve', { kind, virtualServer, port, state, realServers, first });
    return;
  }
  const ordered = inRotation(realServers, rotation);
  for (let at = 0; at < ordered.length; at += mostAlike) {
    const some = ordered.slice(at, at + mostAlike);
    phases.add('serve', { kind, virtualServer, port, state, realServers: some, first: 0 });
  }
}

type Addition = Extract<Operation, { kind: 'addRealServer' }>;

function isAway(operation: Operation): boolean {
  return (
    operation.kind !== 'replaceRealServer' &&
    'realServer' in operation &&
    operation.realServer.weight === 0
  );
}

/** The values that all real servers of a virtual server share. */
interface Shared {
  readonly virtualServer: VirtualServer;
  readonly connectionLimit: number | undefined;
}

function operationFor(
  { address, port, wanted, held, drain, isResting }: PlannedRealServer,
  { virtualServer, connectionLimit }: Shared,
): Operation | undefined {
  if (wanted === undefined) {
    if (held === undefined || (held.state.weight === 0 && drain !== 'none')) return undefined;
    const { podUid } = held;
    const realServer = masqueraded({ address, port, weight: 0, connectionLimit });
    return { kind: 'drainRealServer', virtualServer, realServer, podUid };
  }
  const { weight, podUid } = wanted;
  if (held === undefined) {
    if (weight === 0 || isResting) return undefined;
    const realServer = masqueraded({ address, port, weight, connectionLimit });
    return { kind: 'addRealServer', virtualServer, realServer, podUid };
  }
  if (!isSamePod(podUid, held.podUid)) {
    if (held.state.weight === 0 && drain === 'endingNow') return undefined;
    const realServer = masqueraded({ address, port, weight: 0, connectionLimit });
    return { kind: 'replaceRealServer', virtualServer, realServer, podUid: held.podUid };
  }
  const realServer = masqueraded({ address, port, weight, connectionLimit });
  if (!hasOtherState(held.state, realServer)) return undefined;
  return { kind: 'weighRealServer', virtualServer, realServer, podUid };
}
