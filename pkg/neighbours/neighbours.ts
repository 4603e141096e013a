import type { IpAddress } from '../ip/address.ts';

/** The route of this node's packets to an address. */
export type Route =
  /** Delivered on this node. */
  | { readonly kind: 'local' }
  /** No route, or one that refuses. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'device';
      /** The index of the device; `undefined` for a route over several. */
      readonly device: number | undefined;
      /** The router that they are sent to; `undefined` where the address is on the link itself. */
      readonly gateway: IpAddress | undefined;
      /** The address that packets of this node have as their source, unless they have one. */
      readonly source: IpAddress | undefined;
    };

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
  /** The route of packets to the address. Throws KernelError. */
  route(address: IpAddress): Route;
}
