import { virtualServerKey } from '../ipvs/ipvs.ts';
import type { Packet } from '../trace/packet.ts';
import type { Choice, Trace } from '../trace/result.ts';
import type { KernelState } from '../trace/state.ts';
import { trace } from '../trace/trace.ts';
import type { Facts } from './cause.ts';
import { type DesiredState, desiredKernel } from './desired.ts';
import { differencesOf } from './differences.ts';
import { type EntryEffect, entryEffects } from './entries.ts';
import type { NodeState } from './node-state.ts';
import { type Explained, explained } from './verdict.ts';
import { waysOf } from './ways.ts';

/** Everything that can be said about a packet. */
export interface Explanation extends Explained, Facts {}

/**
 * Explains what becomes of a packet on a node: the trace of the packet on the state that the kernel holds, what entries of earlier
 * packets decide instead, how answers come back, and, with what should be there, what is otherwise. Pure.
 */
export function explain(
  state: NodeState,
  {
    packet: asked,
    desired,
  }: { readonly packet: Packet; readonly desired?: DesiredState | undefined },
): Explanation {
  const packet = withBridge(asked, state);
  const id = { address: packet.destination, protocol: packet.protocol, port: packet.port };
  const key = virtualServerKey(id);
  const virtualServer = state.kernel.virtualServers.get(key);
  const effects = entryEffects(state.entries, { packet, virtualServer });
  const traceOn = (kernel: KernelState) => narrowed(trace(kernel, packet), { effects, packet });
  const onKernel = traceOn(state.kernel);
  const facts: Facts = {
    packet,
    state,
    trace: onKernel,
    virtualServer,
    owner: desired?.ledger.lastOwner(key)?.key,
    effects,
    ways: waysOf(state, { packet, trace: onKernel }),
    desired: desired && {
      state: desired,
      trace: traceOn(desiredKernel(state.kernel, desired, id)),
      differences: differencesOf(state.kernel, desired, id),
    },
  };
  return { ...facts, ...explained(facts) };
}

/** A packet of a pod on a bridge comes through a port of it, which `br_netfilter` shows to rules. */
function withBridge(packet: Packet, { bridges, routes }: NodeState): Packet {
  const { origin, source } = packet;
  if (origin.kind === 'node' || bridges.get(origin.name)?.isFiltered !== true) return packet;
  const route = routes.get(source);
  if (route?.kind !== 'device' || route.gateway !== undefined) return packet;
  return { ...packet, origin: { ...origin, bridgePort: `a port of ${origin.name}` } };
}

/** The trace of a packet that belongs to an entry: IPVS sends it where the entry says, and not where the scheduler would. */
function narrowed(
  traced: Trace,
  { effects, packet }: { effects: readonly EntryEffect[]; packet: Packet },
): Trace {
  const { verdict } = traced;
  if (verdict.kind !== 'balanced') return traced;
  const { balancing } = verdict;
  const isChosen = ({ realServer }: Choice) =>
    effects.some(
      ({ kind, sourcePort, target }) =>
        decides({ kind, sourcePort }, { packet, isPersistent: balancing.affinitySeconds > 0 }) &&
        target?.address === realServer.address &&
        (realServer.port === 0 || target.port === realServer.port),
    );
  const choices = balancing.choices.filter(isChosen);
  if (choices.length === 0) return traced;
  return { ...traced, verdict: { ...verdict, balancing: { ...balancing, choices } } };
}

/** Whether an entry decides for the packet: a template for each new connection, others for the connection with their port. */
function decides(
  { kind, sourcePort }: Pick<EntryEffect, 'kind' | 'sourcePort'>,
  { packet, isPersistent }: { packet: Packet; isPersistent: boolean },
): boolean {
  return kind === 'persistence' ? isPersistent : sourcePort === packet.sourcePort;
}
