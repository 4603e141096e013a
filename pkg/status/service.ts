import type { IpAddress } from '../ip/address.ts';
import type { RealServerId } from '../ipvs/ipvs.ts';
import type { EndpointSlice } from '../kube/types.ts';
import type { Yielder } from '../runner/yielder.ts';
import type { Connections, PageConnections } from './connections.ts';
import { type Failures, failureStatus } from './failures.ts';
import { type KnownRealServers, realServerReport, realServersOf } from './real-servers.ts';
import type { ServiceStatus, Time, VirtualServerReport } from './report.ts';
import type { ServedView } from './served-view.ts';
import {
  type KnownVirtualServer,
  leftVirtualServer,
  virtualServerReport,
  wantedVirtualServers,
} from './virtual-servers.ts';

/** How many virtual and real servers of one Service are listed. */
const rowLimit = 2_000;
/** How many parts of a Service that are not honoured are listed. */
const unhonouredLimit = 50;

/** What the status of a Service is made from. */
export interface ServiceSources {
  readonly view: ServedView;
  readonly timeOf: (time: number) => Time;
  readonly yielder: Yielder;
  /** Without it, no connections are read. */
  readonly connections: PageConnections | undefined;
  /** The address that is asked about, if one is. */
  readonly address: IpAddress | undefined;
  readonly failures: Failures;
  /** The keys of virtual servers that the Service had and nobody wants any more. */
  readonly left: readonly string[];
}

interface KnownService {
  readonly virtualServer: KnownVirtualServer;
  readonly realServers: KnownRealServers;
  readonly connections: Connections | undefined;
}

/** The status of a Service, given by its key, and how many virtual and real servers it lists. Lets the event loop turn in between. */
export async function serviceStatus(
  key: string,
  sources: ServiceSources,
): Promise<{ readonly status: ServiceStatus; readonly rows: number }> {
  const { view, timeOf, failures } = sources;
  const service = view.store.service(key);
  const unhonoured = service === undefined ? [] : view.unhonoured(service);
  const failure = view.entryFailure(key);
  const { list, more, rows } = await knownVirtualServers(key, sources);
  const nodes = await nodesOf(list, { slices: view.store.objects(key)?.slices ?? [], sources });
  const { failures: failed, more: moreFailures } = failures.of(key);
  const [namespace = '', name = ''] = key.split('/');
  const status = {
    namespace,
    name,
    isDeleted: service === undefined,
    unhonoured: unhonoured.slice(0, unhonouredLimit),
    moreUnhonoured: Math.max(0, unhonoured.length - unhonouredLimit),
    failures: [
      ...(failure === undefined
        ? []
        : [
            failureStatus({ object: `Service ${key}`, error: failure.message, ...failure }, timeOf),
          ]),
      ...failed,
    ],
    moreFailures,
    virtualServers: list.map((one) => reportOf(one, { timeOf, nodes })),
    moreVirtualServers: more,
  };
  return { status, rows };
}

/** The virtual servers of a Service with their real servers, up to a limit, and how many virtual servers there are besides. */
async function knownVirtualServers(key: string, sources: ServiceSources) {
  const { view, yielder, address, left, connections } = sources;
  const list: KnownService[] = [];
  let rows = 0;
  let more = 0;
  for (const virtualServer of allVirtualServers(key, { view, left })) {
    await yielder.yieldIfDue();
    if (rows >= rowLimit) {
      more++;
      continue;
    }
    const { virtualServer: id, state, frontEnd } = virtualServer;
    const isMeant = (realServer: RealServerId) =>
      address === undefined || id.address === address || realServer.address === address;
    const isOwned = state !== 'unowned';
    const options = { view, frontEnd, isOwned, limit: rowLimit - rows, isMeant, yielder };
    const realServers = state === 'lost' ? none : await realServersOf(id, options);
    if (address !== undefined && id.address !== address && realServers.list.length === 0) continue;
    rows += 1 + realServers.list.length;
    const isAsked = state !== 'lost' && realServers.list.length > 0;
    const counted = isAsked ? await connections?.of(id) : undefined;
    list.push({ virtualServer, realServers, connections: counted });
  }
  return { list, more, rows };
}

const none: KnownRealServers = { list: [], more: 0 };

function* allVirtualServers(
  key: string,
  { view, left }: Pick<ServiceSources, 'view' | 'left'>,
): Generator<KnownVirtualServer> {
  for (const gone of left) {
    const virtualServer = leftVirtualServer(gone, view);
    if (virtualServer !== undefined) yield virtualServer;
  }
  yield* wantedVirtualServers(key, view);
}

/** The nodes of the real servers that are listed, by address. */
async function nodesOf(
  list: readonly KnownService[],
  {
    slices,
    sources: { yielder },
  }: { slices: readonly EndpointSlice[]; sources: Pick<ServiceSources, 'yielder'> },
): Promise<ReadonlyMap<IpAddress, string>> {
  const addresses = new Set(
    list.flatMap(({ realServers }) => realServers.list.map(({ id }) => id.address)),
  );
  const nodes = new Map<IpAddress, string>();
  for (const { endpoints } of addresses.size === 0 ? [] : slices) {
    await yielder.yieldIfDue();
    for (const { address, nodeName } of endpoints)
      if (addresses.has(address)) nodes.set(address, nodeName);
  }
  return nodes;
}

function reportOf(
  { virtualServer, realServers: { list, more }, connections }: KnownService,
  { timeOf, nodes }: { timeOf: (time: number) => Time; nodes: ReadonlyMap<IpAddress, string> },
): VirtualServerReport {
  const nodeOf = ({ address }: RealServerId) => nodes.get(address);
  return {
    ...virtualServerReport(virtualServer),
    realServers: list.map((one) => realServerReport(one, { timeOf, nodeOf, connections })),
    moreRealServers: more,
  };
}
