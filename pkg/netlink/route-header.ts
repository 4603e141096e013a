import { u8, u32 } from '../wire/codec.ts';

/** The fields of rtmsg of linux/rtnetlink.h, in their order: every message about routes begins with them. */
export const routeHeader = {
  family: u8,
  destinationLength: u8,
  sourceLength: u8,
  tos: u8,
  table: u8,
  protocol: u8,
  scope: u8,
  type: u8,
  flags: u32,
} as const;

/** From linux/rtnetlink.h: a route to this node itself. */
export const RTN_LOCAL = 2;
/** From linux/rtnetlink.h: a route over devices, to a gateway or to a link. */
export const RTN_UNICAST = 1;
