import { ipAddress } from '../netlink/addresses.ts';
import { NLM_F_CREATE, type TableCommand } from '../netlink/message.ts';
import { routeHeader } from '../netlink/route-header.ts';
import { attributes, optional } from '../wire/attributes.ts';
import { s32, u32 } from '../wire/codec.ts';
import { struct } from '../wire/struct.ts';

/** RT_TABLE_LOCAL of linux/rtnetlink.h: the table that is looked up first, with the kernel's own local routes. */
export const RT_TABLE_LOCAL = 255;
/** RT_SCOPE_HOST of linux/rtnetlink.h: the scope of IPv4's local routes. */
export const RT_SCOPE_HOST = 254;
/** In requests to create: what has the same destination and priority is replaced. */
const NLM_F_REPLACE = 0x100;

/** rtmsg and RTA_*: one local route. Numbers from linux/rtnetlink.h. */
export const localRoute = struct({
  ...routeHeader,
  attributes: attributes('RTA', {
    destination: optional(1, ipAddress), // DST
    device: optional(4, s32), // OIF
    priority: optional(6, u32),
    source: optional(7, ipAddress), // PREFSRC
    table: optional(15, u32),
  }),
});

type Row = Omit<TableCommand<unknown, unknown>, 'request' | 'reply'>;

function routeCommand(row: Row) {
  return { ...row, request: localRoute, reply: localRoute } as const;
}

/** Adds a route, or replaces the one with its destination and priority. Numbers from linux/rtnetlink.h. */
export const newRoute = routeCommand({
  name: 'RTM_NEWROUTE',
  type: 24,
  flags: NLM_F_CREATE | NLM_F_REPLACE,
});
/** Deletes the route with a destination, table, protocol and priority. */
export const deleteRoute = routeCommand({ name: 'RTM_DELROUTE', type: 25, flags: 0 });
/** Reads all routes of a family. A strict connection gets those of one table, protocol and type only, since Linux 4.20. */
export const listRoutes = routeCommand({ name: 'RTM_GETROUTE', type: 26, flags: 0 });
