import { errnoOf, isNotFound, isUnsupported } from '../errno/errno.ts';
import { addressBits, familyOf, type IpAddress, unspecified } from '../ip/address.ts';
import { AF_INET, AF_INET6, addressFamily } from '../netlink/addresses.ts';
import type { Connection } from '../netlink/connection.ts';
import { RTN_LOCAL, RTN_UNICAST } from '../netlink/route-header.ts';
import type { ValueOf } from '../wire/codec.ts';
import type { Neighbours, Route, RouteTables, TableRoute } from './neighbours.ts';
import { getNeighbour, getRoute, NUD_FAILED, NUD_INCOMPLETE, type route } from './schema.ts';

/** The next hop of a packet: its device, and the router or the destination itself. */
interface Hop {
  readonly device: number;
  readonly address: IpAddress;
}

/** Fields that are always 0 in our requests. */
const anyRoute = {
  sourceLength: 0,
  tos: 0,
  table: 0,
  protocol: 0,
  scope: 0,
  type: 0,
  flags: 0,
} as const;
const anyNeighbour = { state: 0, flags: 0, type: 0 } as const;

/** Routes and neighbours over rtnetlink. Takes a connection of NETLINK_ROUTE, which the caller closes. */
export class NetlinkNeighbours implements Neighbours, RouteTables {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  canReach(address: IpAddress): boolean {
    const hop = this.#nextHop(address);
    if (hop === 'none') return false;
    return hop === 'unknown' || !isSilent(this.#neighbourState(hop));
  }

  isLocal(address: IpAddress): boolean {
    return this.route(address).kind === 'local';
  }

  route(address: IpAddress): Route {
    const found = this.#route(address);
    return found === 'none' || found === undefined ? { kind: 'none' } : routeOf(found);
  }

  async tableRoutes(limit: number) {
    const routes: TableRoute[] = [];
    let count = 0;
    for (const family of [AF_INET, AF_INET6]) {
      const before = { count, length: routes.length };
      const value = { ...anyRoute, family, destinationLength: 0, attributes: {} };
      await this.#connection.dump(getRoute, value, {
        operation: 'list routes',
        onReply: (message) => {
          const found = message.family === family ? tableRoute(message) : undefined;
          if (found === undefined) return;
          count++;
          if (routes.length < limit) routes.push(found);
        },
        onRestart: () => {
          count = before.count;
          routes.length = before.length;
        },
      });
    }
    return { isWhole: count === routes.length, routes };
  }

  #nextHop(address: IpAddress): Hop | 'none' | 'unknown' {
    const route = this.#route(address);
    if (route === 'none') return 'none';
    const { device, gateway, via } = route?.attributes ?? {};
    // A route over several devices names none, for example.
    return device === undefined
      ? 'unknown'
      : { device, address: gateway ?? via?.address ?? address };
  }

  #route(address: IpAddress) {
    const value = {
      ...anyRoute,
      family: addressFamily(address),
      destinationLength: addressBits(familyOf(address)),
      attributes: { destination: address },
    };
    try {
      return this.#connection.request(getRoute, value, `find the route to ${address}`)[0];
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENETUNREACH' || code === 'EHOSTUNREACH') return 'none';
      // EINVAL and EACCES come from routes too: blackhole and prohibit, over which nothing answers.
      if (code === 'EINVAL' || code === 'EACCES') return 'none';
      throw error;
    }
  }

  /** NUD_*; `undefined` for a neighbour without an entry, as on devices without link-layer addresses. */
  #neighbourState({ device, address }: Hop): number | undefined {
    const family = addressFamily(address);
    const value = { ...anyNeighbour, family, device, attributes: { destination: address } };
    try {
      return this.#connection.request(getNeighbour, value, `read neighbour ${address}`)[0]?.state;
    } catch (error) {
      if (isNotFound(error) || isUnsupported(error)) return undefined;
      throw error;
    }
  }
}

type RouteMessage = ValueOf<typeof route>;

/** From linux/rtnetlink.h: routes that refuse, of which packets are not delivered. */
const refusing: readonly number[] = [6, 7, 8]; // BLACKHOLE, UNREACHABLE, PROHIBIT
/** RT_TABLE_* of linux/rtnetlink.h. */
const tableNames: ReadonlyMap<number, TableRoute['table']> = new Map([
  [255, 'local'],
  [254, 'main'],
  [253, 'default'],
]);
/** RTM_F_CLONED of linux/rtnetlink.h: made for one destination, such as for its path MTU. */
const RTM_F_CLONED = 0x200;

function routeOf({ type, attributes }: RouteMessage): Route {
  if (type === RTN_LOCAL) return { kind: 'local' };
  const { device, gateway, via, preferredSource: source } = attributes;
  return { kind: 'device', device, gateway: gateway ?? via?.address, source };
}

/** A route of a table; `undefined` for one of another table, and for broadcasts and multicasts. */
function tableRoute(message: RouteMessage): TableRoute | undefined {
  const { family, type, flags, destinationLength, attributes } = message;
  const { destination, table: number, priority = 0 } = attributes;
  const table = tableNames.get(number ?? message.table);
  const isRefusing = refusing.includes(type);
  if (table === undefined || (flags & RTM_F_CLONED) !== 0) return undefined;
  if (type !== RTN_LOCAL && type !== RTN_UNICAST && !isRefusing) return undefined;
  const address = destination ?? unspecified(family === AF_INET ? 'IPv4' : 'IPv6');
  const network = { address, length: Math.min(destinationLength, addressBits(familyOf(address))) };
  return { table, network, priority, route: isRefusing ? { kind: 'none' } : routeOf(message) };
}

function isSilent(state: number | undefined): boolean {
  return state === NUD_FAILED || state === NUD_INCOMPLETE;
}
