import {
  type RealServerId,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import { unpackUid } from '../kube/objects/pod-uid.ts';
import type { PodIdentity } from '../kube/types.ts';
import type { FrontEnd } from '../proxy/desired/footprint.ts';
import { isPodKnown } from '../proxy/desired/pod-identity.ts';
import { noRealServers } from '../proxy/desired/real-servers.ts';
import type { DrainStatus } from '../proxy/graceful/drain-status.ts';
import type { HeldRealServer } from '../proxy/observed/held-real-servers.ts';
import type { Yielder } from '../runner/yielder.ts';
import type { Connections } from './connections.ts';
import type { DrainReport, RealServerReport, RealServerState, Time } from './report.ts';
import type { ServedView } from './served-view.ts';

/** What is known of a real server. */
export interface KnownRealServer {
  readonly id: RealServerId;
  readonly state: RealServerState;
  readonly held: HeldRealServer | undefined;
  readonly podUid: PodIdentity;
  readonly drain: DrainStatus | undefined;
}

/** The real servers of a virtual server: some of them, and how many others there are. */
export interface KnownRealServers {
  readonly list: readonly KnownRealServer[];
  readonly more: number;
}

export interface RealServerOptions {
  readonly view: Pick<ServedView, 'mirror' | 'graceful'>;
  /** The Service's front end; `undefined` if nobody wants the virtual server any more. */
  readonly frontEnd: Pick<FrontEnd, 'realServers'> | undefined;
  /** Whether it is known who wants the virtual server, or wanted it. */
  readonly isOwned: boolean;
  /** How many are listed. */
  readonly limit: number;
  /** Those that are meant; the others do not count. */
  readonly isMeant: (id: RealServerId) => boolean;
  readonly yielder: Yielder;
}

/** With more real servers than these, only those that the kernel has are looked at, as the others come all at once. */
const wholeLimit = 20_000;

/**
 * The real servers of a virtual server that are wanted, that the kernel has, or both. Those that drain come first. Of very many those that
 * the kernel lacks are left out. Lets the event loop turn in between.
 */
export async function realServersOf(
  virtualServer: VirtualServerId,
  { view: { mirror, graceful }, frontEnd, isOwned, limit, isMeant, yielder }: RealServerOptions,
): Promise<KnownRealServers> {
  const key = virtualServerKey(virtualServer);
  const held = mirror.virtualServers.get(key)?.realServers;
  const { realServers: wanted } = frontEnd ?? { realServers: noRealServers };
  const isWhole = wanted.capacity <= wholeLimit;
  const list: KnownRealServer[] = [];
  let count = 0;
  const add = (id: RealServerId, known: () => Omit<KnownRealServer, 'id'>) => {
    if (!isMeant(id)) return;
    count++;
    if (list.length < limit) list.push({ id, ...known() });
  };
  const draining = new Set<string>();
  for (const { request, status } of graceful.drainsOf(key)) {
    if (yielder.isDue) await yielder.yieldIfDue();
    const { realServer: id, podUid } = request;
    draining.add(realServerKey(id));
    add(id, () => ({ state: 'draining', held: held?.get(id), podUid, drain: status() }));
  }
  const drains = (id: RealServerId) => draining.size > 0 && draining.has(realServerKey(id));
  for (const one of isWhole ? wanted.values() : []) {
    if (yielder.isDue) await yielder.yieldIfDue();
    const has = held?.get(one);
    // One of weight 0 is kept while it is there, and not added.
    if (drains(one) || (has === undefined && one.weight === 0)) continue;
    const { podUid } = one;
    add(one, () => ({ state: wantedState(has), held: has, podUid, drain: undefined }));
  }
  for (const [id, has] of held ?? []) {
    if (yielder.isDue) await yielder.yieldIfDue();
    const isWanted = wanted.get(id) !== undefined;
    if (drains(id) || (isWanted && isWhole)) continue;
    const state = isWanted || !isOwned ? wantedState(has) : unwantedState(has);
    add(id, () => ({ state, held: has, podUid: has.podUid, drain: undefined }));
  }
  return { list, more: count - list.length };
}

function wantedState(held: HeldRealServer | undefined): RealServerState {
  if (held === undefined) return 'missing';
  return held.state.weight === 0 ? 'paused' : 'serving';
}

/** A real server of weight 0 that is not on the list of drains was drained by another program. */
function unwantedState({ state: { weight } }: HeldRealServer): RealServerState {
  return weight === 0 ? 'draining' : 'unwanted';
}

/** What a report of a real server is completed with. */
export interface RealServerContext {
  readonly timeOf: (time: number) => Time;
  readonly nodeOf: (id: RealServerId) => string | undefined;
  /** The connections that the kernel counts; `undefined` if they were not read. */
  readonly connections: Connections | undefined;
}

/** The report of a real server. */
export function realServerReport(
  { id, state, held, podUid, drain }: KnownRealServer,
  { timeOf, nodeOf, connections }: RealServerContext,
): RealServerReport {
  return {
    address: id.address,
    port: id.port,
    state,
    weight: held?.state.weight ?? null,
    podUid: isPodKnown(podUid) ? unpackUid(podUid) : null,
    node: nodeOf(id) || null,
    drain: drain === undefined ? null : drainReport(drain, timeOf),
    connections: connections?.get(realServerKey(id)) ?? null,
  };
}

function drainReport(drain: DrainStatus, timeOf: (time: number) => Time): DrainReport {
  const { cause, pod, since, until, lastAnswer, reading, ending } = drain;
  return {
    cause,
    pod,
    since: timeOf(since),
    until: Number.isFinite(until) ? timeOf(until) : null,
    lastAnswer: lastAnswer === undefined ? null : timeOf(lastAnswer),
    ending: ending ?? null,
    connections:
      reading === undefined
        ? null
        : { active: reading.activeConnections, inactive: reading.inactiveConnections },
  };
}
