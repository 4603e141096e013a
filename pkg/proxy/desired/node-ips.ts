import {
  familyOf,
  type IpAddress,
  isUnspecified,
  loopback,
  otherFamily,
} from '../../ip/address.ts';

/** The node's own address of either family; that of the primary family comes first. */
export type NodeIPs = readonly [primary: IpAddress, other: IpAddress];

/** What the node's addresses are detected from. */
export interface NodeIPSources {
  /** `--bind-address`: counts as the primary address unless it is unspecified. */
  readonly bindAddress: IpAddress;
  /** Those of the Node object, in its order; none if there is no Node. */
  readonly addresses: readonly IpAddress[];
}

/**
 * The node's own address of either family. The primary family is that of `--bind-address`, or, if that is unspecified, of the Node's
 * first address, or else IPv4. An address that is not known is that of loopback.
 */
export function detectNodeIPs({ bindAddress, addresses }: NodeIPSources): NodeIPs {
  const detected = isUnspecified(bindAddress) ? addresses[0] : bindAddress;
  const primary = detected ?? loopback('IPv4');
  const other = otherFamily(familyOf(primary));
  return [primary, addresses.find((address) => familyOf(address) === other) ?? loopback(other)];
}
