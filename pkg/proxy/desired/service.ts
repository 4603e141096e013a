import { type Family, familyOf, type IpAddress } from '../../ip/address.ts';
import { type Prefix, prefixFamily } from '../../ip/prefix.ts';
import type { Protocol } from '../../ip/protocol.ts';
import type { Service, ServicePortSpec } from '../../kube/types.ts';

/** A Service as the owner of objects in the kernel. */
export type Owner = Pick<Service, 'namespace' | 'name' | 'key' | 'created'>;

/** One port of a Service in one family: the unit that endpoints are matched with. Its addresses are those of that family. */
export interface ServicePort
  extends ServicePortSpec,
    Pick<Service, 'externalIPs' | 'loadBalancerIPs' | 'sourceRanges' | 'affinitySeconds'> {
  readonly service: Owner;
  readonly family: Family;
  readonly clusterIP: IpAddress;
  /** `externalTrafficPolicy: Local`, which counts for the types NodePort and LoadBalancer only. */
  readonly isExternalPolicyLocal: boolean;
  readonly isInternalPolicyLocal: boolean;
  /** Where its load balancer asks whether this node has endpoints; 0 for nowhere. */
  readonly healthCheckNodePort: number;
}

/** A port of a Service in one family, as the Service itself says it. */
class PortOfService implements ServicePort {
  readonly service: Service;
  readonly family: Family;
  readonly clusterIP: IpAddress;
  readonly #spec: ServicePortSpec;

  constructor(
    service: Service,
    { family, clusterIP, spec }: { family: Family; clusterIP: IpAddress; spec: ServicePortSpec },
  ) {
    this.service = service;
    this.family = family;
    this.clusterIP = clusterIP;
    this.#spec = spec;
  }

  get name(): string {
    return this.#spec.name;
  }

  get protocol(): Protocol {
    return this.#spec.protocol;
  }

  get port(): number {
    return this.#spec.port;
  }

  get nodePort(): number {
    return this.#spec.nodePort;
  }

  get externalIPs(): readonly IpAddress[] {
    return addressesOf(this.family, this.service.externalIPs);
  }

  get loadBalancerIPs(): readonly IpAddress[] {
    return addressesOf(this.family, this.service.loadBalancerIPs);
  }

  get sourceRanges(): readonly Prefix[] {
    const { sourceRanges } = this.service;
    if (sourceRanges.length === 0) return sourceRanges;
    return sourceRanges.filter((range) => prefixFamily(range) === this.family);
  }

  get affinitySeconds(): number {
    return this.service.affinitySeconds;
  }

  get isExternalPolicyLocal(): boolean {
    const { type, externalTrafficPolicy } = this.service;
    const isExposed = type === 'NodePort' || type === 'LoadBalancer';
    return isExposed && externalTrafficPolicy === 'Local';
  }

  get isInternalPolicyLocal(): boolean {
    return this.service.internalTrafficPolicy === 'Local';
  }

  get healthCheckNodePort(): number {
    return healthCheckNodePort(this.service);
  }
}

function addressesOf(family: Family, addresses: readonly IpAddress[]): readonly IpAddress[] {
  if (addresses.length === 0) return addresses;
  return addresses.filter((one) => familyOf(one) === family);
}

/** The ports of a Service in the families that are served; none for a headless Service and for an ExternalName. */
export function servicePorts(
  service: Service,
  {
    externalIPs,
    families,
  }: { readonly externalIPs: boolean; readonly families: readonly Family[] },
): readonly ServicePort[] {
  const found: ServicePort[] = [];
  if (service.type === 'ExternalName') return found;
  const isServed = externalIPs || service.externalIPs.length === 0;
  const served = isServed ? service : { ...service, externalIPs: [] };
  for (const family of families) {
    const clusterIP = clusterIPOf(service, family);
    if (clusterIP === undefined) continue;
    for (const spec of service.ports)
      found.push(new PortOfService(served, { family, clusterIP, spec }));
  }
  return found;
}

function clusterIPOf({ clusterIPs }: Service, family: Family): IpAddress | undefined {
  for (const address of clusterIPs) if (familyOf(address) === family) return address;
  return undefined;
}

/** Whether what a Service wants depends on the node's own addresses: node ports are on them, other addresses may be among them. */
export function dependsOnNodeAddresses({ ports, externalIPs, loadBalancerIPs }: Service): boolean {
  if (externalIPs.length > 0 || loadBalancerIPs.length > 0) return true;
  return ports.some(({ nodePort }) => nodePort !== 0);
}

/**
 * Whether what a Service wants depends on the addresses that the Node object has: its source ranges are compared with them, and node
 * ports may be served on them alone.
 */
export function dependsOnNodeIPs({ ports, loadBalancerIPs, sourceRanges }: Service): boolean {
  if (loadBalancerIPs.length > 0 && sourceRanges.length > 0) return true;
  return ports.some(({ nodePort }) => nodePort !== 0);
}

/** The port at which load balancers ask for a Service's health; 0 unless it is of type LoadBalancer with `externalTrafficPolicy: Local`. */
export function healthCheckNodePort(service: Service): number {
  const isAsked = service.type === 'LoadBalancer' && service.externalTrafficPolicy === 'Local';
  return isAsked ? service.healthCheckNodePort : 0;
}

/** Whether clients outside the cluster can reach it. */
export function isExternallyAccessible(port: ServicePort): boolean {
  return port.nodePort !== 0 || port.loadBalancerIPs.length > 0 || port.externalIPs.length > 0;
}
