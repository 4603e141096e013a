import { addressBits, familyOf, type IpAddress } from '../../ip/address.ts';
import type { Entry } from '../../ipset/ipset.ts';
import {
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  keyedVirtualServer,
  type RealServerId,
  type VirtualServer,
} from '../../ipvs/ipvs.ts';
import type { AddressKind, FrontEnd, NodeContext, SetEntry } from './footprint.ts';
import type { PortServers } from './port-servers.ts';
import type { ServicePort } from './service.ts';
import type { ServiceOptions } from './service-options.ts';
import type { UdpFrontEnd } from './udp-front-end.ts';

/** How many front ends a port has, each with all its real servers. */
export function frontEndCount(port: ServicePort, node: NodeContext): number {
  return 1 + nodePortAddresses(port, node).length;
}

/** The addresses on which a port has a node port. */
function nodePortAddresses(port: ServicePort, node: NodeContext): readonly IpAddress[] {
  if (port.nodePort === 0) return [];
  return node.nodePortAddresses.filter((address) => familyOf(address) === port.family);
}

interface Conditions {
  readonly options: ServiceOptions;
  readonly node: NodeContext;
  readonly servers: PortServers;
}

/** The front ends of a port: its cluster IP, and its node port on the node's addresses. */
export function frontEndsOf(port: ServicePort, conditions: Conditions): readonly FrontEnd[] {
  return [clusterFrontEnd(port, conditions), ...nodePortFrontEnds(port, conditions)];
}

const none: readonly never[] = Object.freeze([]);

function clusterFrontEnd(port: ServicePort, { node, servers, options }: Conditions): FrontEnd {
  const { clusterIP: ip, protocol, family } = port;
  const policy = port.isInternalPolicyLocal ? 'localOnly' : 'cluster';
  return {
    virtualServer: virtualServer(port, { address: ip, port: port.port, scheduler: node.scheduler }),
    addressKind: 'allocated',
    isBound: isBound('allocated', { address: ip, node }),
    isExposed: false,
    options,
    policy,
    realServers: servers.chosenBy(policy),
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
  { node, servers, options }: Conditions,
): readonly FrontEnd[] {
  const policy = port.isExternalPolicyLocal ? 'localFirst' : 'cluster';
  return nodePortAddresses(port, node).map((address) => ({
    virtualServer: virtualServer(port, { address, port: port.nodePort, scheduler: node.scheduler }),
    addressKind: 'allocated',
    isBound: false,
    isExposed: true,
    options,
    policy,
    realServers: servers.chosenBy(policy),
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

/** The entry through which an endpoint of this node reaches itself. */
export function hairpin(
  { address, port }: RealServerId,
  { protocol, family }: ServicePort,
): SetEntry {
  return {
    set: 'loopBack',
    family,
    entry: { type: 'hash:ip,port,ip', ip: address, protocol, port, ip2: address },
  };
}

/** The UDP front ends of a port; none for another protocol. */
export function udpFrontEndsOf(
  port: ServicePort,
  { node, servers }: { node: NodeContext; servers: PortServers },
): readonly UdpFrontEnd[] {
  if (port.protocol !== 'UDP') return none;
  const endpoints = servers.serving;
  const cluster = { addresses: [port.clusterIP], port: port.port, endpoints };
  return port.nodePort === 0
    ? [cluster]
    : [cluster, { addresses: nodePortAddresses(port, node), port: port.nodePort, endpoints }];
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
