import { familyOf, type IpAddress } from '../../ip/address.ts';
import { type Entry, entryKey, ipPortEntry } from '../../ipset/ipset.ts';
import { type RealServerId, virtualServerKey } from '../../ipvs/ipvs.ts';
import { changedFrontEnd } from './changed-front-end.ts';
import { ClusterFrontEnd } from './cluster-front-end.ts';
import type { Conditions } from './conditions.ts';
import { externalFrontEnds, loadBalancerFrontEnds } from './external-addresses.ts';
import type { NodeContext, OwnedFrontEnd, SetEntry } from './footprint.ts';
import type { PortRealServers } from './port-real-servers.ts';
import { isExternallyAccessible, type ServicePort } from './service.ts';
import type { UdpFrontEnd } from './udp-front-end.ts';
import { virtualServerOf } from './virtual-server.ts';

/** How many front ends a port has at most, each with all its real servers. */
export function frontEndCount(port: ServicePort, node: NodeContext): number {
  const { externalIPs, loadBalancerIPs } = port;
  return 1 + externalIPs.length + loadBalancerIPs.length + nodePortAddresses(port, node).length;
}

/** The addresses on which a port has a node port. */
function nodePortAddresses(port: ServicePort, node: NodeContext): readonly IpAddress[] {
  if (port.nodePort === 0) return [];
  return node.nodePortAddresses.filter((address) => familyOf(address) === port.family);
}

/**
 * The front ends of a port: its cluster IP, its external and load-balancer addresses, and its node port on the node's addresses.
 * There is one for each virtual server, however many of these fields name its address.
 */
export function frontEndsOf(port: ServicePort, conditions: Conditions): readonly OwnedFrontEnd[] {
  if (!isExternallyAccessible(port)) return [new ClusterFrontEnd(port, conditions)];
  return merged([
    new ClusterFrontEnd(port, conditions),
    ...loadBalancerFrontEnds(port, conditions),
    ...externalFrontEnds(port, conditions),
    ...nodePortFrontEnds(port, conditions),
  ]);
}

/** Of several with one virtual server the first stays, with the entries of all. */
function merged(frontEnds: readonly OwnedFrontEnd[]): readonly OwnedFrontEnd[] {
  const byVirtualServer = new Map<string, OwnedFrontEnd>();
  for (const frontEnd of frontEnds) {
    const key = virtualServerKey(frontEnd.virtualServer);
    const first = byVirtualServer.get(key);
    if (first === undefined) byVirtualServer.set(key, frontEnd);
    else {
      const { owner, entries } = first;
      const change = { owner, entries: union(entries, frontEnd.entries) };
      byVirtualServer.set(key, changedFrontEnd(first, change));
    }
  }
  return [...byVirtualServer.values()];
}

function union(some: readonly SetEntry[], others: readonly SetEntry[]): readonly SetEntry[] {
  const nameOf = ({ set, entry }: SetEntry) => `${set} ${entryKey(entry)}`;
  const names = new Set(some.map(nameOf));
  return [...some, ...others.filter((other) => !names.has(nameOf(other)))];
}

const none: readonly never[] = Object.freeze([]);

function nodePortFrontEnds(port: ServicePort, conditions: Conditions): readonly OwnedFrontEnd[] {
  const { node, realServers, options } = conditions;
  const policy = port.isExternalPolicyLocal ? 'localFirst' : 'cluster';
  return nodePortAddresses(port, node).map((address) => ({
    owner: port.service,
    virtualServer: virtualServerOf(port, { address, port: port.nodePort, conditions }),
    addressKind: 'allocated',
    isBound: false,
    isExposed: true,
    options,
    policy,
    realServers: realServers.chosenBy(policy),
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
      ? ipPortEntry({ ip, protocol, port: nodePort })
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
  { node, realServers }: { node: NodeContext; realServers: PortRealServers },
): readonly UdpFrontEnd[] {
  if (port.protocol !== 'UDP') return none;
  const endpoints = realServers.serving;
  const addresses = [port.clusterIP, ...port.externalIPs, ...port.loadBalancerIPs];
  const cluster = { addresses, port: port.port, endpoints };
  return port.nodePort === 0
    ? [cluster]
    : [cluster, { addresses: nodePortAddresses(port, node), port: port.nodePort, endpoints }];
}
