import type { IpAddress } from '../../ip/address.ts';
import { contains, overlap, type Prefix, printPrefix } from '../../ip/prefix.ts';

/** What a range of VIPs must have nothing in common with. */
export interface TakenNetworks {
  /** The node IPs. */
  readonly nodeIPs: Iterable<IpAddress>;
  /** The networks of the node's devices. An address with its full prefix length is none. */
  readonly connected: readonly Prefix[];
  /** The networks of pods, as far as they are known. */
  readonly pods: readonly Prefix[];
}

/** Why the addresses of a range cannot all be VIPs: `overlaps 192.168.0.0/24, a network of this node`; `undefined` if they can. */
export function rangeProblem(
  range: Prefix,
  { nodeIPs, connected, pods }: TakenNetworks,
): string | undefined {
  for (const address of nodeIPs)
    if (contains(range, address)) return `contains ${address}, an address of this node`;
  const network = connected.find((some) => overlap(range, some));
  if (network !== undefined)
    return `overlaps ${printPrefix(network)}, a network that a device of this node is connected to`;
  const pod = pods.find((some) => overlap(range, some));
  return pod && `overlaps ${printPrefix(pod)}, a network of pods`;
}
