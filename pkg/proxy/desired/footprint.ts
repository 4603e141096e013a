import { addressBits, type Family, familyOf, type IpAddress } from '../../ip/address.ts';
import type { Entry } from '../../ipset/ipset.ts';
import {
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  keyedVirtualServer,
  type VirtualServer,
} from '../../ipvs/ipvs.ts';
import type { EndpointSlice, Service } from '../../kube/types.ts';
import { type Endpoint, EndpointIndex, type EndpointQuery } from './endpoint.ts';
import {
  EndpointChoices,
  noSettings,
  type ServiceSettings,
  type WantedRealServer,
} from './real-servers.ts';
import { type ServicePort, servicePorts } from './service.ts';
import type { SetId } from './sets.ts';
import type { NodeTopology } from './topology.ts';
import type { UdpFrontEnd } from './udp-front-end.ts';

/** What a Service's state in the kernel depends on besides the Service itself. */
export interface NodeContext extends NodeTopology {
  /** Where node ports are served. */
  readonly nodePortAddresses: readonly IpAddress[];
  /** What the node has on devices of its own. */
  readonly nodeAddresses: ReadonlySet<IpAddress>;
  readonly scheduler: string;
}

/** The API objects of one Service, and what it asks for by annotations. */
export interface ServiceObjects {
  readonly service: Service;
  readonly slices: Iterable<EndpointSlice>;
  /** Slices made of endpoints that vanished a moment ago and may come back: they lose new connections only. */
  readonly vanished: Iterable<EndpointSlice>;
  readonly settings?: ServiceSettings;
}

/** An entry of one of our sets, each of which there is once for each family. */
export interface SetEntry {
  readonly set: SetId;
  readonly family: Family;
  readonly entry: Entry;
}

/** Where a virtual server's address and port come from: the API allocated them, or they were written into the Service. */
export type AddressKind = 'allocated' | 'loadBalancer' | 'external';

/** One virtual server with everything that stands and falls with it. */
export interface FrontEnd {
  readonly virtualServer: VirtualServer;
  readonly addressKind: AddressKind;
  /** Whether its address goes onto the dummy device. */
  readonly isBound: boolean;
  /** Whether clients come to it from outside the cluster. */
  readonly isExposed: boolean;
  /** What its Service asks for by annotations. */
  readonly settings: ServiceSettings;
  /** By {@link realServerKey}; one map for all front ends that have the same. */
  readonly realServers: ReadonlyMap<string, WantedRealServer>;
  readonly entries: readonly SetEntry[];
}

/** Everything that one Service, or one port of it, wants in the kernel. */
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

/** What one Service wants in the kernel. */
export function footprint(objects: ServiceObjects, node: NodeContext): Footprint {
  const parts: Footprint[] = [];
  for (const part of footprintsByPort(objects, node))
    if (part !== undefined) parts.push(part.footprint);
  return {
    frontEnds: parts.flatMap(({ frontEnds }) => frontEnds),
    hairpins: parts.flatMap(({ hairpins }) => hairpins),
    udpFrontEnds: parts.flatMap(({ udpFrontEnds }) => udpFrontEnds),
    withoutLocalEndpoints: new Set(
      parts.flatMap(({ withoutLocalEndpoints }) => [...withoutLocalEndpoints]),
    ),
  };
}

/** What one port of a Service wants. */
export interface PortFootprint {
  readonly port: ServicePort;
  readonly footprint: Footprint;
  /** The Service has too many real servers by now: this port gets none. */
  readonly isCutOff: boolean;
}

/**
 * How many real servers the front ends of one Service may have together: two objects of a megabyte each could ask for twenty
 * millions, on every node.
 */
export const realServerLimit = 200_000;

/**
 * What one Service wants in the kernel, port by port, and nothing at all between steps none of which is long, however many ports
 * and endpoints there are.
 * The only place where Kubernetes' words turn into LVS's.
 */
export function* footprintsByPort(
  objects: ServiceObjects,
  node: NodeContext,
): Generator<PortFootprint | undefined> {
  const present = yield* new EndpointIndex(node).add(objects.slices);
  const vanished = yield* new EndpointIndex(node).add(objects.vanished);
  const settings = objects.settings ?? noSettings;
  const [none, context] = [new EndpointIndex(node), { node, settings }];
  let left = realServerLimit;
  for (const port of servicePorts(objects.service)) {
    const size = present.count(queryOf(port)) * (1 + nodePortAddresses(port, node).length);
    const isCutOff = size > left;
    if (!isCutOff) left -= size;
    const endpoints = isCutOff ? { present: none, vanished: none } : { present, vanished };
    yield { port, isCutOff, footprint: yield* makeFootprint(port, { ...endpoints, ...context }) };
  }
}

interface Making {
  readonly present: EndpointIndex;
  readonly vanished: EndpointIndex;
  readonly node: NodeContext;
  readonly settings: ServiceSettings;
}

/** Yields between steps, and gives back what a port wants. */
function* makeFootprint(
  port: ServicePort,
  { present, vanished, node, settings }: Making,
): Generator<undefined, Footprint> {
  const query = queryOf(port);
  const endpoints = yield* present.endpointsOf(query);
  const gone = yield* vanished.endpointsOf(query);
  const choices = new EndpointChoices(port, { node, endpoints, vanished: gone, settings });
  const conditions = { node, choices, settings };
  const frontEnds = [clusterFrontEnd(port, conditions), ...nodePortFrontEnds(port, conditions)];
  yield undefined;
  const local = [...endpoints, ...gone].filter(({ isLocal }) => isLocal);
  return {
    frontEnds,
    hairpins: local.map((endpoint) => hairpin(endpoint, port)),
    udpFrontEnds: port.protocol === 'UDP' ? udpFrontEndsOf(port, { node, endpoints }) : [],
    withoutLocalEndpoints: choices.lacksLocal ? localLacks(port) : noLacks,
  };
}

function queryOf({ family, name: portName, protocol }: ServicePort): EndpointQuery {
  return { family, portName, protocol };
}

/** The addresses on which a port has a node port. */
function nodePortAddresses(port: ServicePort, node: NodeContext): readonly IpAddress[] {
  if (port.nodePort === 0) return [];
  return node.nodePortAddresses.filter((address) => familyOf(address) === port.family);
}

const noLacks: ReadonlySet<never> = new Set();

function localLacks(port: ServicePort): ReadonlySet<LocalLack> {
  const lacks = new Set<LocalLack>();
  if (port.isInternalPolicyLocal) lacks.add(`internal ${port.family}`);
  if (port.isExternalPolicyLocal) lacks.add(`external ${port.family}`);
  return lacks;
}

interface Conditions {
  readonly settings: ServiceSettings;
  readonly node: NodeContext;
  readonly choices: EndpointChoices;
}

function clusterFrontEnd(port: ServicePort, { node, choices, settings }: Conditions): FrontEnd {
  const { clusterIP: ip, protocol, family } = port;
  return {
    virtualServer: virtualServer(port, { address: ip, port: port.port, scheduler: node.scheduler }),
    addressKind: 'allocated',
    isBound: isBound('allocated', { address: ip, node }),
    isExposed: false,
    settings,
    realServers: port.isInternalPolicyLocal ? choices.localOnly() : choices.cluster(),
    entries: [
      { set: 'clusterIp', family, entry: { type: 'hash:ip,port', ip, protocol, port: port.port } },
      { set: 'ipvsIps', family, entry: { type: 'hash:ip', ip } },
    ],
  };
}

/**
 * Whether the address of a virtual server other than a node port goes onto the dummy device. An external or load-balancer address
 * that the node has itself is served where it is: bound a second time, it would go from the node with the Service.
 */
export function isBound(
  kind: AddressKind,
  { address, node }: { address: IpAddress; node: Pick<NodeContext, 'nodeAddresses'> },
): boolean {
  return kind === 'allocated' || !node.nodeAddresses.has(address);
}

function nodePortFrontEnds(
  port: ServicePort,
  { node, choices, settings }: Conditions,
): readonly FrontEnd[] {
  return nodePortAddresses(port, node).map((address) => ({
    virtualServer: virtualServer(port, { address, port: port.nodePort, scheduler: node.scheduler }),
    addressKind: 'allocated',
    isBound: false,
    isExposed: true,
    settings,
    realServers: port.isExternalPolicyLocal ? choices.localFirst() : choices.cluster(),
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
  const serving = new Set<string>();
  for (const endpoint of endpoints) if (endpoint.serving) serving.add(endpoint.key);
  const cluster = { addresses: [port.clusterIP], port: port.port, endpoints: serving };
  return port.nodePort === 0
    ? [cluster]
    : [
        cluster,
        { addresses: nodePortAddresses(port, node), port: port.nodePort, endpoints: serving },
      ];
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
  return keyedVirtualServer({
    address,
    protocol,
    port,
    scheduler,
    flags,
    timeout: affinitySeconds,
    prefixLength,
    persistenceEngine: '',
  });
}
