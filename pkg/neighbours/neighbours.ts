import type { IpAddress } from '../ip/address.ts';

/**
 * Whether this node's packets to an address have anywhere to go. Where they have not, the node answers their senders itself, with
 * ICMP, and IPVS counts these answers as if the address had sent them.
 */
export interface Neighbours {
  /**
   * False if the routing table has no way to the address, or if the next hop on the way (the address itself on a link of this
   * node) answers neither ARP nor neighbour discovery. True otherwise, whatever is behind the next hop. Throws KernelError.
   */
  canReach(address: IpAddress): boolean;
  /** True if a packet to the address goes to this node itself. Throws KernelError. */
  isLocal(address: IpAddress): boolean;
}
