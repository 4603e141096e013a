import { errnoOf, isNotFound, isUnsupported } from '../errno/errno.ts';
import { addressBits, familyOf, type IpAddress } from '../ip/address.ts';
import { addressFamily } from '../netlink/addresses.ts';
import type { Connection } from '../netlink/connection.ts';
import { RTN_LOCAL } from '../netlink/route-header.ts';
import type { Neighbours, Route } from './neighbours.ts';
import { getNeighbour, getRoute, NUD_FAILED, NUD_INCOMPLETE } from './schema.ts';

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
export class NetlinkNeighbours implements Neighbours {
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
    const route = this.#route(address);
    if (route === 'none' || route === undefined) return { kind: 'none' };
    if (route.type === RTN_LOCAL) return { kind: 'local' };
    const { device, gateway, via, preferredSource: source } = route.attributes;
    return { kind: 'device', device, gateway: gateway ?? via?.address, source };
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

function isSilent(state: number | undefined): boolean {
  return state === NUD_FAILED || state === NUD_INCOMPLETE;
}
