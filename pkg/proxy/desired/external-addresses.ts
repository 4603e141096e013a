import { familyOf, type IpAddress } from '../../ip/address.ts';
import { ipPortEntry } from '../../ipset/ipset.ts';
import type { Conditions } from './conditions.ts';
import type { AddressKind, NodeContext, OwnedFrontEnd, SetEntry } from './footprint.ts';
import type { ServicePort } from './service.ts';
import { sourceRangeEntries } from './source-ranges.ts';
import { virtualServerOf } from './virtual-server.ts';

/** The front ends of a port on `spec.externalIPs`. */
export function externalFrontEnds(
  port: ServicePort,
  conditions: Conditions,
): readonly OwnedFrontEnd[] {
  const { family, protocol } = port;
  const set = port.isExternalPolicyLocal ? 'externalIpLocal' : 'externalIp';
  return port.externalIPs.map((address) =>
    frontEnd(port, {
      address,
      kind: 'external',
      conditions,
      entries: [{ set, family, entry: ipPortEntry({ ip: address, protocol, port: port.port }) }],
    }),
  );
}

/** The front ends of a port on the addresses of its load balancer. */
export function loadBalancerFrontEnds(
  port: ServicePort,
  conditions: Conditions,
): readonly OwnedFrontEnd[] {
  const { family, protocol } = port;
  const nodeAddress = nodeAddressOf(port, conditions.node);
  const sets = port.isExternalPolicyLocal
    ? (['loadBalancer', 'loadBalancerLocal'] as const)
    : (['loadBalancer'] as const);
  return port.loadBalancerIPs.map((address) => {
    const entry = ipPortEntry({ ip: address, protocol, port: port.port });
    return frontEnd(port, {
      address,
      kind: 'loadBalancer',
      conditions,
      entries: [
        ...sets.map((set) => ({ set, family, entry })),
        ...sourceRangeEntries(port, { address, nodeAddress }),
      ],
    });
  });
}

/** The node's address that source ranges are compared with. */
function nodeAddressOf(
  { family }: ServicePort,
  { nodeIPs: [primary, other] }: Pick<NodeContext, 'nodeIPs'>,
): IpAddress {
  return familyOf(primary) === family ? primary : other;
}

function frontEnd(
  port: ServicePort,
  {
    address,
    kind,
    conditions,
    entries,
  }: {
    address: IpAddress;
    kind: AddressKind;
    conditions: Conditions;
    entries: readonly SetEntry[];
  },
): OwnedFrontEnd {
  const { family } = port;
  const { node, realServers, options } = conditions;
  const policy = port.isExternalPolicyLocal ? 'localFirst' : 'cluster';
  const isOnDevice = isBound(kind, { address, node });
  const bound: SetEntry = { set: 'ipvsIps', family, entry: { type: 'hash:ip', ip: address } };
  return {
    owner: port.service,
    virtualServer: virtualServerOf(port, { address, port: port.port, conditions }),
    addressKind: kind,
    isBound: isOnDevice,
    isExposed: true,
    options,
    policy,
    realServers: realServers.chosenBy(policy),
    entries: isOnDevice ? [...entries, bound] : entries,
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
