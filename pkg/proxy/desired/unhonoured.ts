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

/** What it is judged by. */
export interface HonouringContext {
  readonly node: Pick<NodeContext, 'externalIPs' | 'nodeAddresses' | 'nodePortAddresses'>;
  /** The families that this node serves. */
  readonly families: readonly Family[];
  /** Whether Services may ask for anything by annotations. */
  readonly readsAnnotations: boolean;
}

/** What of a Service is not honoured on this node. Objects that cannot be understood, and conflicts, are reported elsewhere. */
export function unhonouredOf(service: Service, context: HonouringContext): readonly Unhonoured[] {
  const { externalIPs, loadBalancerIPs, clusterIPs, annotations } = service;
  if (service.type === 'ExternalName' || clusterIPs.length === 0) return [];
  const found: Unhonoured[] = [];
  const add = (reason: UnhonouredReason, field: string) => (value: string) =>
    void found.push({ reason, field, value });
  const { node, families, readsAnnotations } = context;
  if (!readsAnnotations)
    Object.keys(annotations).forEach(add('annotations_off', 'metadata.annotations'));
  if (!node.externalIPs) externalIPs.forEach(add('gate', 'spec.externalIPs'));
  clusterIPs
    .filter((address) => !families.includes(familyOf(address)))
    .forEach(add('family', 'spec.clusterIPs'));
  for (const [field, addresses] of [
    ['spec.externalIPs', node.externalIPs ? externalIPs : []],
    ['status.loadBalancer.ingress', loadBalancerIPs],
  ] as const)
    for (const address of addresses) {
      const reason = reasonFor(address, { service, context });
      if (reason !== undefined) add(reason, field)(address);
    }
  openFamilies(service).forEach(add('source_ranges', 'spec.loadBalancerSourceRanges'));
  familiesWithoutNodePort(service, context).forEach(add('no_node_address', 'spec.ports'));
  return found;
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
  if (sourceRanges.length === 0) return [];
  const isOpen = (family: Family) => !sourceRanges.some((range) => prefixFamily(range) === family);
  return [...new Set(loadBalancerIPs.map(familyOf))].filter(isOpen);
}

function familiesWithoutNodePort(
  { ports, clusterIPs }: Service,
  { families, node: { nodePortAddresses } }: HonouringContext,
): readonly Family[] {
  if (!ports.some(({ nodePort }) => nodePort !== 0)) return [];
  return clusterIPs
    .map(familyOf)
    .filter((family) => families.includes(family))
    .filter((family) => !nodePortAddresses.some((address) => familyOf(address) === family));
}
