import type { IpAddress } from '../ip/address.ts';
import { contains, type Prefix } from '../ip/prefix.ts';

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

/** The tables of routes that every packet is looked up in, in this order. */
export const routeTables = ['local', 'main', 'default'] as const;

/** One route of a table. Broadcasts and multicasts are none. */
export interface TableRoute {
  readonly table: (typeof routeTables)[number];
  readonly network: Prefix;
  /** Of routes to one network the lowest counts. */
  readonly priority: number;
  readonly route: Route;
}

/** The routes of this network namespace. */
export interface RouteTables {
  /**
   * The first `limit` routes of all tables in {@link routeTables}, of both families. Those of other tables, which rules (`ip rule`) lead
   * to, are left out. `isWhole` is false if there were more. Throws KernelError.
   */
  tableRoutes(limit: number): Promise<{
    readonly isWhole: boolean;
    readonly routes: readonly TableRoute[];
  }>;
}

/** The route to an address by the tables alone. */
export function routeByTables(routes: readonly TableRoute[], address: IpAddress): Route {
  let best: TableRoute | undefined;
  for (const route of routes)
    if (contains(route.network, address) && (best === undefined || isBefore(route, best)))
      best = route;
  return best?.route ?? { kind: 'none' };
}

function isBefore(one: TableRoute, other: TableRoute): boolean {
  const order = routeTables.indexOf(one.table) - routeTables.indexOf(other.table);
  const length = other.network.length - one.network.length;
  return (order || length || one.priority - other.priority) < 0;
}

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
