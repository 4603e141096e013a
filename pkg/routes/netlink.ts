import { errnoOf, type Failure, isNotFound } from '../errno/errno.ts';
import { addressBits, familyOf, unspecified } from '../ip/address.ts';
import { type Prefix, prefixFamily } from '../ip/prefix.ts';
import { AF_INET, AF_INET6, addressFamily } from '../netlink/addresses.ts';
import type { Connection } from '../netlink/connection.ts';
import { RTN_LOCAL } from '../netlink/route-header.ts';
import type { ValueOf } from '../wire/codec.ts';
import { type LocalRoute, printRouteWrite, type Routes, type RouteWrite } from './routes.ts';
import {
  deleteRoute,
  listRoutes,
  type localRoute,
  newRoute,
  RT_SCOPE_HOST,
  RT_TABLE_LOCAL,
} from './schema.ts';

type RouteMessage = ValueOf<typeof localRoute>;

/**
 * rtm_protocol of our routes, which says whose they are: `ip route show table local proto 173`. None of iproute2's rt_protos has it,
 * nor has the kernel.
 */
const protocol = 173;
/**
 * RTA_PRIORITY of our routes. The kernel's own local routes have 0 and come first, and both may have the same destination, so that
 * neither is in the way of the other, nor goes with it.
 */
const priority = 173;
/** LOOPBACK_IFINDEX of net/flow.h: the loopback device of every network namespace. */
const loopbackDevice = 1;
/** Each message holds the RTNL lock: short groups let other programs in between. */
const groupSize = 64;

/** Local routes over rtnetlink. Takes a strict connection of NETLINK_ROUTE, which the caller closes. */
export class NetlinkRoutes implements Routes {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async routes(): Promise<readonly LocalRoute[]> {
    const found: LocalRoute[] = [];
    for (const family of [AF_INET, AF_INET6]) {
      const value = { ...header, family, destinationLength: 0, scope: 0, attributes: {} };
      const messages = await this.#list(value);
      // Kernels before 4.20 do not filter, and one without IPv6 answers with the routes of IPv4.
      for (const message of messages)
        if (message.family === family && isOurs(message)) found.push(routeOf(message));
    }
    return found;
  }

  /** The table local is made with the first address, that of the loopback device included; until then the kernel says ENOENT. */
  async #list(value: RouteMessage): Promise<readonly RouteMessage[]> {
    try {
      return await this.#connection.list(listRoutes, value, 'list local routes');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  write(batch: readonly RouteWrite[]): readonly Failure[] {
    const failures = this.#connection.batch(batch, {
      put: (write, sink) => {
        if (write.kind === 'addRoute') sink.put(newRoute, messageOf(write.network, write.source));
        else sink.put(deleteRoute, messageOf(write.network));
      },
      describe: printRouteWrite,
      groupSize,
    });
    return failures.filter(
      ({ index, error }) => batch[index]?.kind !== 'deleteRoute' || !isNotFound(error),
    );
  }
}

/** The fields of rtmsg that all our routes have in common. */
const header = {
  sourceLength: 0,
  tos: 0,
  table: RT_TABLE_LOCAL,
  protocol,
  type: RTN_LOCAL,
  flags: 0,
} as const;

function messageOf(network: Prefix, source?: LocalRoute['source']): RouteMessage {
  const { address: destination, length } = network;
  const isIPv4 = prefixFamily(network) === 'IPv4';
  return {
    ...header,
    family: addressFamily(destination),
    destinationLength: length,
    scope: isIPv4 ? RT_SCOPE_HOST : 0,
    attributes: { destination, device: loopbackDevice, priority, source },
  };
}

function isOurs({ type, protocol: whose, table, attributes }: RouteMessage): boolean {
  const isInTable = (attributes.table ?? table) === RT_TABLE_LOCAL;
  return isInTable && type === RTN_LOCAL && whose === protocol && attributes.priority === priority;
}

function routeOf({ family, destinationLength: length, attributes }: RouteMessage): LocalRoute {
  const any = unspecified(family === AF_INET ? 'IPv4' : 'IPv6');
  const { destination: address = any, source } = attributes;
  return { network: { address, length: Math.min(length, addressBits(familyOf(address))) }, source };
}
