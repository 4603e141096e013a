import { ipAddress } from '../netlink/addresses.ts';
import { routeHeader } from '../netlink/route-header.ts';
import { attributes, optional } from '../wire/attributes.ts';
import { padding, s32, u8, u16, u32 } from '../wire/codec.ts';
import { struct } from '../wire/struct.ts';

/** From linux/neighbour.h: resolution is under way. */
export const NUD_INCOMPLETE = 0x01;
/** From linux/neighbour.h: resolution failed. */
export const NUD_FAILED = 0x20;

/** rtmsg and RTA_*: one route. Numbers from linux/rtnetlink.h. */
export const route = struct({
  ...routeHeader,
  attributes: attributes('RTA', {
    destination: optional(1, ipAddress), // DST
    device: optional(4, s32), // OIF
    gateway: optional(5, ipAddress),
    priority: optional(6, u32),
    preferredSource: optional(7, ipAddress), // PREFSRC
    table: optional(15, u32),
    /** VIA: an IPv6 next hop of an IPv4 route. */
    via: optional(18, struct({ family: u16, address: ipAddress })),
  }),
});

/** ndmsg and NDA_*: one neighbour. Numbers from linux/neighbour.h. */
export const neighbour = struct({
  family: u8,
  pad: padding(3),
  device: s32,
  state: u16,
  flags: u8,
  type: u8,
  attributes: attributes('NDA', { destination: optional(1, ipAddress) }), // DST
});

/** Looks up the route of a packet, or reads all routes of a family. Number from linux/rtnetlink.h. */
export const getRoute = { name: 'RTM_GETROUTE', type: 26, flags: 0, request: route, reply: route };

/** Reads one neighbour, since Linux 5.0. Number from linux/rtnetlink.h. */
export const getNeighbour = {
  name: 'RTM_GETNEIGH',
  type: 30,
  flags: 0,
  request: neighbour,
  reply: neighbour,
};
