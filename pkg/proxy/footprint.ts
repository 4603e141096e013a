import { addressBits, type Family, familyOf, type IpAddress } from '../ip/address.ts';
import type { Entry } from '../ipset/ipset.ts';
import {
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  type RealServerId,
  realServerKey,
  type VirtualServer,
} from '../ipvs/ipvs.ts';
import type { EndpointSlice, Service } from '../kube/types.ts';
import { type Endpoint, endpointsOf } from './endpoint.ts';
import type { UdpFrontEnd } from './flow-notes.ts';
import { type ServicePort, servicePorts } from './service.ts';
import type { SetId } from './sets.ts';
import { chooseEndpoints, type EndpointChoice, type NodeTopology } from './topology.ts';

/** What a Service's state in the kernel depends on besides the Service itself. */
export interface NodeContext extends NodeTopology {
  /** Where node ports are served. */
  readonly nodePortAddresses: readonly IpAddress[];
  readonly scheduler: string;
}

/** The API objects of one Service. */
export interface ServiceObjects {
  readonly service: Service;
  readonly slices: Iterable<EndpointSlice>;
  /** Slices made of endpoints that vanished a moment ago and may come back: they lose new connections only. */
  readonly vanished: Iterable<EndpointSlice>;
  /** How long this Service's real servers may drain, in milliseconds, if it says so itself; 0 for no limit. */
  readonly drainTimeout?: number | undefined;
}

/** An entry of one of our sets, each of which there is once for each family. */
export interface SetEntry {
  readonly set: SetId;
  readonly family: Family;
  readonly entry: Entry;
}

/** A real server that should be there. One with weight 0 is kept if it is there, and not made. */
export interface WantedRealServer extends RealServerId {
  readonly weight: 0 | 1;
  /** '' if unknown. */
  readonly podUid: string;
}

/** One virtual server with everything that stands and falls with it. */
export interface FrontEnd {
  readonly server: VirtualServer;
  /** Whether its address goes onto the dummy device. */
  readonly isBound: boolean;
  /** Whether clients come to it from outside the cluster. */
  readonly isExposed: boolean;
  /** How long its real servers may drain, in milliseconds, if the Service says so itself. */
  readonly drainTimeout: number | undefined;
  /** By {@link realServerKey}; one map for all front ends that have the same. */
  readonly realServers: ReadonlyMap<string, WantedRealServer>;
  readonly entries: readonly SetEntry[];
}

/** Everything that one Service wants in the kernel. */
export interface Footprint {
  readonly frontEnds: readonly FrontEnd[];
  /** Entries that belong to no front end: what endpoints of this node reach themselves through. */
  readonly hairpins: readonly SetEntry[];
  /** UDP front ends with the endpoints that may answer for them, whatever the policies: flows of others are stale. */
  readonly udpFrontEnds: readonly UdpFrontEnd[];
  /** Which traffic policies find no endpoint on this node although there are some elsewhere. */
  readonly withoutLocalEndpoints: ReadonlySet<LocalLack>;
}

/** A traffic policy that asks for local endpoints, and the family in which there are none. */
export type LocalLack = `${'internal' | 'external'} ${Family}`;

/** What one Service wants in the kernel. The only place where Kubernetes' words turn into LVS's. */
export function footprint(objects: ServiceObjects, node: NodeContext): Footprint {
  const frontEnds: FrontEnd[] = [];
  const hairpins: SetEntry[] = [];
  const udpFrontEnds: UdpFrontEnd[] = [];
  const withoutLocalEndpoints = new Set<LocalLack>();
  for (const port of servicePorts(objects.service)) {
    const query = {
      family: port.family,
      portName: port.name,
      protocol: port.protocol,
      nodeName: node.nodeName,
    };
    const endpoints = endpointsOf(objects.slices, query);
    const vanished = endpointsOf(objects.vanished, query);
    const backends = new Backends(port, { node, endpoints, vanished });
    const circumstances = { node, backends, drainTimeout: objects.drainTimeout };
    frontEnds.push(clusterFrontEnd(port, circumstances), ...nodePortFrontEnds(port, circumstances));
    for (const endpoint of [...endpoints, ...vanished])
      if (endpoint.isLocal) hairpins.push(hairpin(endpoint, port));
    if (port.protocol === 'UDP') udpFrontEnds.push(...udpFrontEndsOf(port, { node, endpoints }));
    if (!backends.lacksLocal) continue;
    if (port.isInternalPolicyLocal) withoutLocalEndpoints.add(`internal ${port.family}`);
    if (port.isExternalPolicyLocal) withoutLocalEndpoints.add(`external ${port.family}`);
  }
  return { frontEnds, hairpins, udpFrontEnds, withoutLocalEndpoints };
}

interface Circumstances {
  readonly drainTimeout: number | undefined;
  readonly node: NodeContext;
  readonly backends: Backends;
}

function clusterFrontEnd(
  port: ServicePort,
  { node, backends, drainTimeout }: Circumstances,
): FrontEnd {
  const { clusterIP: ip, protocol, family } = port;
  return {
    server: virtualServer(port, { address: ip, port: port.port, scheduler: node.scheduler }),
    isBound: true,
    isExposed: false,
    drainTimeout,
    realServers: port.isInternalPolicyLocal ? backends.localOnly() : backends.cluster(),
    entries: [
      { set: 'clusterIp', family, entry: { type: 'hash:ip,port', ip, protocol, port: port.port } },
      { set: 'ipvsIps', family, entry: { type: 'hash:ip', ip } },
    ],
  };
}

function nodePortFrontEnds(
  port: ServicePort,
  { node, backends, drainTimeout }: Circumstances,
): readonly FrontEnd[] {
  if (port.nodePort === 0) return [];
  const addresses = node.nodePortAddresses.filter((address) => familyOf(address) === port.family);
  return addresses.map((address) => ({
    server: virtualServer(port, { address, port: port.nodePort, scheduler: node.scheduler }),
    isBound: false,
    isExposed: true,
    drainTimeout,
    realServers: port.isExternalPolicyLocal ? backends.localFirst() : backends.cluster(),
    entries: nodePortEntries(port, address),
  }));
}

/** Sets of node ports without and with `externalTrafficPolicy: Local`. */
const nodePortSets = {
  TCP: ['nodePortTcp', 'nodePortLocalTcp'],
  UDP: ['nodePortUdp', 'nodePortLocalUdp'],
  SCTP: ['nodePortSctp', 'nodePortLocalSctp'],
} as const;

function nodePortEntries(port: ServicePort, ip: IpAddress): readonly SetEntry[] {
  const { protocol, nodePort, family } = port;
  const entry: Entry =
    protocol === 'SCTP'
      ? { type: 'hash:ip,port', ip, protocol, port: nodePort }
      : { type: 'bitmap:port', port: nodePort };
  const [every, local] = nodePortSets[protocol];
  const names = port.isExternalPolicyLocal ? [every, local] : [every];
  return names.map((set) => ({ set, family, entry }));
}

function hairpin({ address, port }: Endpoint, { protocol, family }: ServicePort): SetEntry {
  return {
    set: 'loopBack',
    family,
    entry: { type: 'hash:ip,port,ip', ip: address, protocol, port, ip2: address },
  };
}

function udpFrontEndsOf(
  port: ServicePort,
  { node, endpoints }: { node: NodeContext; endpoints: readonly Endpoint[] },
): readonly UdpFrontEnd[] {
  const serving = endpoints
    .filter((endpoint) => endpoint.serving)
    .map(({ address, port: number }) => ({ address, port: number }));
  const nodePortAddresses = node.nodePortAddresses.filter(
    (address) => familyOf(address) === port.family,
  );
  const cluster = { addresses: [port.clusterIP], port: port.port, endpoints: serving };
  return port.nodePort === 0
    ? [cluster]
    : [cluster, { addresses: nodePortAddresses, port: port.nodePort, endpoints: serving }];
}

/** What `sh` and `mh` need so that new clients pass over draining servers (`sh-fallback`, `mh-fallback`), and `mh` to spread one client's connections. */
const schedulerFlags: Readonly<Record<string, number>> = {
  sh: IP_VS_SVC_F_SCHED1,
  mh: IP_VS_SVC_F_SCHED1 + IP_VS_SVC_F_SCHED2,
};

function virtualServer(
  { protocol, affinitySeconds, family }: ServicePort,
  { address, port, scheduler }: { address: IpAddress; port: number; scheduler: string },
): VirtualServer {
  const persistent = affinitySeconds > 0 ? IP_VS_SVC_F_PERSISTENT : 0;
  const flags = persistent + (schedulerFlags[scheduler] ?? 0);
  const prefixLength = addressBits(family);
  return {
    address,
    protocol,
    port,
    scheduler,
    flags,
    timeout: affinitySeconds,
    prefixLength,
    persistenceEngine: '',
  };
}

/** The real servers of one service port, made once for each policy and shared by its front ends. */
class Backends {
  readonly #now: EndpointChoice;
  readonly #before: EndpointChoice;
  readonly #made = new Map<string, ReadonlyMap<string, WantedRealServer>>();

  constructor(
    port: ServicePort,
    {
      node,
      endpoints,
      vanished,
    }: { node: NodeTopology; endpoints: readonly Endpoint[]; vanished: readonly Endpoint[] },
  ) {
    this.#now = chooseEndpoints(endpoints, { port, node });
    const isBack = new Set(vanished.length === 0 ? [] : endpoints.map(realServerKey));
    const gone = vanished.filter((endpoint) => !isBack.has(realServerKey(endpoint)));
    this.#before =
      gone.length === 0 ? this.#now : chooseEndpoints([...endpoints, ...gone], { port, node });
  }

  /** Endpoints exist, but none of them is on this node. */
  get lacksLocal(): boolean {
    return this.#now.hasAny && this.#now.local?.length === 0;
  }

  cluster(): ReadonlyMap<string, WantedRealServer> {
    return this.#once('cluster', ({ cluster }) => cluster ?? []);
  }

  localOnly(): ReadonlyMap<string, WantedRealServer> {
    return this.#once('localOnly', ({ local }) => local ?? []);
  }

  /** The local ones; without any, all of them, so that pods of this node still get an answer. */
  localFirst(): ReadonlyMap<string, WantedRealServer> {
    return this.#once('localFirst', ({ cluster, local }) =>
      local?.length ? local : (cluster ?? []),
    );
  }

  #once(
    name: string,
    choose: (choice: EndpointChoice) => readonly Endpoint[],
  ): ReadonlyMap<string, WantedRealServer> {
    const made = this.#made.get(name) ?? weigh(choose(this.#now), choose(this.#before));
    this.#made.set(name, made);
    return made;
  }
}

/** Those chosen now at weight 1; those that only vanished a moment ago at 0, or at 1 if there is nobody else. */
function weigh(
  now: readonly Endpoint[],
  before: readonly Endpoint[],
): ReadonlyMap<string, WantedRealServer> {
  const wanted = new Map<string, WantedRealServer>();
  const want = (endpoint: Endpoint, weight: 0 | 1) => {
    const { address, port, podUid } = endpoint;
    const key = realServerKey(endpoint);
    if (!wanted.has(key)) wanted.set(key, { address, port, podUid, weight });
  };
  for (const endpoint of now) want(endpoint, 1);
  if (now !== before) for (const endpoint of before) want(endpoint, now.length > 0 ? 0 : 1);
  return wanted;
}
