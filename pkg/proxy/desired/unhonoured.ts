import { type Family, familyOf, type IpAddress } from '../../ip/address.ts';
import { prefixFamily } from '../../ip/prefix.ts';
import type { Service } from '../../kube/types.ts';
import type { NodeContext } from './footprint.ts';

/** Why something that a Service asks for is not done on this node. */
export type UnhonouredReason =
  /** A feature gate is off. */
  | 'gate'
  /** It has annotations of ours, which are not read. */
  | 'annotations_off'
  /** An address of a family that this node does not serve. */
  | 'family'
  /** An address of a family in which the Service has no cluster IP. */
  | 'no_cluster_ip'
  /** An address that the node has on a device of its own: it is served there, and not bound. */
  | 'node_address'
  /** Source ranges of one family only: the load balancer's addresses of the other one are open to everybody. */
  | 'source_ranges'
  /** A node port, and no address of the node to serve it on. */
  | 'no_node_address'
  /** More real servers than one Service can have. */
  | 'too_many_real_servers';

/** Something that a Service asks for and that is not done, or not as it may be thought. */
export interface Unhonoured {
  readonly reason: UnhonouredReason;
  /** Where it is asked for. */
  readonly field: string;
  /** The value, as far as there is one: an address, or a family. */
  readonly value: string;
}

/** The values that decide it. */
export interface HonouringContext {
  readonly node: Pick<NodeContext, 'externalIPs' | 'nodeAddresses' | 'nodePortAddresses'>;
  /** The families that this node serves. */
  readonly families: readonly Family[];
  /** Whether Services may ask for anything by annotations. */
  readonly readsAnnotations: boolean;
  /** How many ports of the Service get no real servers, as all together would have too many. */
  readonly cutOffPorts: number;
}

/** The parts of a Service that are not honoured on this node. Invalid objects and conflicts are reported elsewhere. */
export function unhonouredOf(service: Service, context: HonouringContext): readonly Unhonoured[] {
  const { externalIPs, loadBalancerIPs, clusterIPs } = service;
  if (service.type === 'ExternalName' || clusterIPs.length === 0) return none;
  if (asksForClusterIPsAlone(service, context)) return none;
  const { node, families, readsAnnotations, cutOffPorts } = context;
  const found: Unhonoured[] = [];
  const note = (reason: UnhonouredReason, { field, value }: Omit<Unhonoured, 'reason'>) =>
    found.push({ reason, field, value });
  if (!readsAnnotations)
    for (const value of Object.keys(service.annotations))
      note('annotations_off', { field: 'metadata.annotations', value });
  if (!node.externalIPs)
    for (const value of externalIPs) note('gate', { field: 'spec.externalIPs', value });
  for (const value of clusterIPs)
    if (!families.includes(familyOf(value))) note('family', { field: 'spec.clusterIPs', value });
  for (const value of node.externalIPs ? externalIPs : none) {
    const reason = reasonFor(value, { service, context });
    if (reason !== undefined) note(reason, { field: 'spec.externalIPs', value });
  }
  for (const value of loadBalancerIPs) {
    const reason = reasonFor(value, { service, context });
    if (reason !== undefined) note(reason, { field: 'status.loadBalancer.ingress', value });
  }
  for (const value of openFamilies(service))
    note('source_ranges', { field: 'spec.loadBalancerSourceRanges', value });
  for (const value of familiesWithoutNodePort(service, context))
    note('no_node_address', { field: 'spec.ports', value });
  if (cutOffPorts > 0) {
    const value = `${cutOffPorts} of ${service.ports.length}`;
    note('too_many_real_servers', { field: 'spec.ports', value });
  }
  return found;
}

const none: readonly never[] = Object.freeze([]);

/** Whether a Service asks for cluster IPs of served families, which most do, and for nothing else. */
function asksForClusterIPsAlone(
  { externalIPs, loadBalancerIPs, ports, annotations, clusterIPs }: Service,
  { families, cutOffPorts }: HonouringContext,
): boolean {
  if (externalIPs.length + loadBalancerIPs.length + cutOffPorts > 0) return false;
  for (const address of clusterIPs) if (!families.includes(familyOf(address))) return false;
  for (const { nodePort } of ports) if (nodePort !== 0) return false;
  for (const _ in annotations) return false;
  return true;
}

function reasonFor(
  address: IpAddress,
  {
    service: { clusterIPs },
    context: { families, node },
  }: { service: Service; context: HonouringContext },
): UnhonouredReason | undefined {
  const family = familyOf(address);
  if (!families.includes(family)) return 'family';
  if (!clusterIPs.some((one) => familyOf(one) === family)) return 'no_cluster_ip';
  return node.nodeAddresses.has(address) ? 'node_address' : undefined;
}

/** Families of load-balancer addresses that no source range is of, where there are some of the other. */
function openFamilies({ loadBalancerIPs, sourceRanges }: Service): readonly Family[] {
  if (sourceRanges.length === 0) return none;
  const isOpen = (family: Family) => !sourceRanges.some((range) => prefixFamily(range) === family);
  return [...new Set(loadBalancerIPs.map(familyOf))].filter(isOpen);
}

function familiesWithoutNodePort(
  { ports, clusterIPs }: Service,
  { families, node: { nodePortAddresses } }: HonouringContext,
): readonly Family[] {
  if (!ports.some(({ nodePort }) => nodePort !== 0)) return none;
  return clusterIPs
    .map(familyOf)
    .filter((family) => families.includes(family))
    .filter((family) => !nodePortAddresses.some((address) => familyOf(address) === family));
}
