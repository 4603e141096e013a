import { ipAddress } from '../netlink/addresses.ts';
import { NLM_F_CREATE, NLM_F_EXCL, type TableCommand } from '../netlink/message.ts';
import { attributes, optional } from '../wire/attributes.ts';
import { bytes, cstring, padding, s32, u8, u16, u32 } from '../wire/codec.ts';
import { struct } from '../wire/struct.ts';

/** NETLINK_ROUTE of linux/netlink.h. */
export const NETLINK_ROUTE = 0;

/** RTNLGRP_* of linux/rtnetlink.h. */
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV6_IFADDR = 9;

/** RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h: counters are most of a link's message. */
export const RTEXT_FILTER_SKIP_STATS = 8;

/** ifinfomsg and IFLA_*: one device. Numbers from linux/if_link.h. */
export const link = struct({
  family: u8,
  pad: padding(1),
  type: u16,
  index: s32,
  flags: u32,
  change: u32,
  attributes: attributes('IFLA', {
    name: optional(3, cstring), // IFNAME
    info: optional(18, attributes('IFLA_INFO', { kind: optional(1, cstring) })), // LINKINFO
    filter: optional(29, u32), // EXT_MASK
  }),
});

/** ifaddrmsg and IFA_*: one address on one device. Numbers from linux/if_addr.h. */
export const linkAddress = struct({
  family: u8,
  prefixLength: u8,
  flags: u8,
  scope: u8,
  index: u32,
  attributes: attributes('IFA', {
    address: optional(1, ipAddress), // the peer's, where there is one
    local: optional(2, ipAddress),
  }),
});

/** ifaddrmsg without its attributes: all that is read of an event. */
export const linkAddressHeader = struct({
  family: u8,
  prefixLength: u8,
  flags: u8,
  scope: u8,
  index: u32,
  attributes: bytes,
});

/** Fields that are always 0 in our requests. */
export const anyLink = { family: 0, type: 0, index: 0, flags: 0, change: 0 } as const;

type Row = Omit<TableCommand<unknown, unknown>, 'request' | 'reply'>;

function linkCommand(row: Row) {
  return { ...row, request: link, reply: link } as const;
}

function addressCommand(row: Row) {
  return { ...row, request: linkAddress, reply: linkAddress } as const;
}

/** Devices. Numbers from linux/rtnetlink.h. */
export const newLink = linkCommand({
  name: 'RTM_NEWLINK',
  type: 16,
  flags: NLM_F_CREATE | NLM_F_EXCL,
});
/** Deletes a device, by its index or its name. */
export const deleteLink = linkCommand({ name: 'RTM_DELLINK', type: 17, flags: 0 });
/** Reads one device, by its index or its name, or all of them. */
export const getLink = linkCommand({ name: 'RTM_GETLINK', type: 18, flags: 0 });

/** Addresses. Numbers from linux/rtnetlink.h. */
export const newAddress = addressCommand({
  name: 'RTM_NEWADDR',
  type: 20,
  flags: NLM_F_CREATE | NLM_F_EXCL,
});
/** Removes an address, with its prefix length, from a device. */
export const deleteAddress = addressCommand({ name: 'RTM_DELADDR', type: 21, flags: 0 });
/** Reads all addresses of a family. */
export const getAddress = addressCommand({ name: 'RTM_GETADDR', type: 22, flags: 0 });
