import type { IpAddress } from '../ip/address.ts';

/**
 * Whether this node can send packets to an address. If not, the node itself answers the senders with ICMP errors, which IPVS counts
 * as if the address had sent them.
 */
export interface Neighbours {
  /**
   * False if there is no route to the address, or if the next hop (the address itself if it is on a link of this node) does not
   * answer ARP or neighbour discovery. True otherwise, whatever is behind the next hop. Throws KernelError.
   */
  canReach(address: IpAddress): boolean;
  /** Whether a packet to the address is delivered on this node. Throws KernelError. */
  isLocal(address: IpAddress): boolean;
}
