import {
  addressBits,
  type Family,
  familyOf,
  type IpAddress,
  isLoopback,
  loopback,
  unspecified,
} from '../../ip/address.ts';
import { contains, type Prefix, prefix, prefixFamily } from '../../ip/prefix.ts';
import type { NodeIPs } from './node-ips.ts';

/** Where node ports are served (`nodePortAddresses`): a network, or `primary` for the node's own addresses that are known. */
export type NodePortNetwork = Prefix | 'primary';

/** What of a node decides where its node ports are. */
export interface NodePortPlaces {
  /** `nodePortAddresses`; empty for every address. */
  readonly networks: readonly NodePortNetwork[];
  readonly families: readonly Family[];
  readonly nodeIPs: NodeIPs;
  /** Those of the node's devices, without loopback ones. */
  readonly nodeAddresses: readonly IpAddress[];
}

/** The addresses on which node ports are served: none of loopback, where IPVS balances nothing. */
export function nodePortAddresses(places: NodePortPlaces): readonly IpAddress[] {
  return places.families.flatMap((family) => {
    const networks = networksOf(family, places);
    return places.nodeAddresses.filter((address) => isIn(networks, address));
  });
}

/** The addresses on which health-check node ports listen; an unspecified address stands for every one of both families. */
export function healthCheckAddresses(places: NodePortPlaces): readonly IpAddress[] {
  const { families, nodeAddresses } = places;
  const isEverywhere = families.every((family) =>
    networksOf(family, places).some(({ length }) => length === 0),
  );
  if (isEverywhere) return [unspecified('IPv6')];
  return families.flatMap((family) => {
    const networks = networksOf(family, places);
    return [loopback(family), ...nodeAddresses].filter((address) => isIn(networks, address));
  });
}

/**
 * The networks of a family in which node ports are served. As upstream reads it, a list without any of the family limits nothing in it;
 * `primary` is none while the address is not known.
 */
function networksOf(family: Family, { networks, nodeIPs }: NodePortPlaces): readonly Prefix[] {
  const primary = nodeIPs.find((address) => familyOf(address) === family);
  const ofFamily = networks.flatMap((network) => {
    if (network !== 'primary') return prefixFamily(network) === family ? [network] : [];
    if (primary === undefined || isLoopback(primary)) return [];
    return [prefix(primary, addressBits(family))];
  });
  return ofFamily.length > 0 ? ofFamily : [prefix(unspecified(family), 0)];
}

function isIn(networks: readonly Prefix[], address: IpAddress): boolean {
  return networks.some((network) => contains(network, address));
}
