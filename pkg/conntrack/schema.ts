import { ipv4Address, ipv6Address } from '../netlink/addresses.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../netlink/message.ts';
import { NFNL_SUBSYS_CTNETLINK, netfilterCommand } from '../netlink/netfilter.ts';
import { attributes, optional, required } from '../wire/attributes.ts';
import { u8, u16be, u32, u32be } from '../wire/codec.ts';

// Numbers from linux/netfilter/nfnetlink_conntrack.h.

/** CTA_TUPLE_*: one direction of a flow. */
export const tuple = attributes('CTA_TUPLE', {
  ip: required(
    1, // IP
    attributes('CTA_IP', {
      v4Source: optional(1, ipv4Address), // V4_SRC
      v4Destination: optional(2, ipv4Address), // V4_DST
      v6Source: optional(3, ipv6Address), // V6_SRC
      v6Destination: optional(4, ipv6Address), // V6_DST
    }),
  ),
  transport: required(
    2, // PROTO
    attributes('CTA_PROTO', {
      protocol: required(1, u8), // NUM
      sourcePort: optional(2, u16be), // SRC_PORT
      destinationPort: optional(3, u16be), // DST_PORT
    }),
  ),
  zone: optional(3, u16be), // ZONE: of this direction only
});

/** A flow as a dump reports it. */
export const flow = attributes('CTA', {
  original: required(1, tuple), // TUPLE_ORIG
  reply: required(2, tuple), // TUPLE_REPLY
  status: optional(3, u32be), // STATUS
  state: optional(
    4, // PROTOINFO
    attributes('CTA_PROTOINFO', {
      tcp: optional(
        1, // TCP
        attributes('CTA_PROTOINFO_TCP', {
          state: optional(1, u8), // STATE
        }),
      ),
    }),
  ),
  mark: optional(8, u32be), // MARK
  id: optional(12, u32be), // ID
  zone: optional(18, u16be), // ZONE: of both directions
});

/** CTA_FILTER_F_* of the kernel's nf_internals.h, which no header exports: the source address must be the same. */
export const CTA_FILTER_F_CTA_IP_SRC = 1 << 0;
/** The destination address must be the same. */
export const CTA_FILTER_F_CTA_IP_DST = 1 << 1;
/** The protocol must be the same. */
export const CTA_FILTER_F_CTA_PROTO_NUM = 1 << 3;

/** The filter of a dump, since Linux 5.8. Older kernels ignore it. */
export const flowFilter = attributes('CTA', {
  original: optional(
    1, // TUPLE_ORIG
    attributes('CTA_TUPLE', {
      ip: optional(
        1, // IP
        attributes('CTA_IP', {
          v4Source: optional(1, ipv4Address), // V4_SRC
          v4Destination: optional(2, ipv4Address), // V4_DST
        }),
      ),
      transport: optional(
        2, // PROTO
        attributes('CTA_PROTO', {
          protocol: required(1, u8), // NUM
        }),
      ),
    }),
  ),
  filter: optional(
    25, // FILTER: which fields of the tuples count
    attributes('CTA_FILTER', {
      original: required(1, u32), // ORIG_FLAGS
      reply: required(2, u32), // REPLY_FLAGS
    }),
  ),
});

/** The flow to delete. The tuple is required: without it the kernel deletes all flows. */
export const flowName = attributes('CTA', {
  original: required(1, tuple), // TUPLE_ORIG
  id: optional(12, u32be), // ID
  zone: optional(18, u16be), // ZONE
});

/** IPS_SEEN_REPLY and IPS_CONFIRMED of linux/netfilter/nf_conntrack_common.h. */
export const IPS_SEEN_REPLY = 0x2;
export const IPS_CONFIRMED = 0x8;

/** A flow to add. */
export const newFlow = attributes('CTA', {
  original: required(1, tuple), // TUPLE_ORIG
  reply: required(2, tuple), // TUPLE_REPLY
  status: required(3, u32be), // STATUS
  state: optional(
    4, // PROTOINFO
    attributes('CTA_PROTOINFO', {
      tcp: optional(
        1, // TCP
        attributes('CTA_PROTOINFO_TCP', {
          state: optional(1, u8), // STATE
        }),
      ),
    }),
  ),
  timeout: required(7, u32be), // TIMEOUT: seconds
});

/** IPCTNL_MSG_CT_*. */
export const commands = {
  add: netfilterCommand({
    name: 'IPCTNL_MSG_CT_NEW',
    subsystem: NFNL_SUBSYS_CTNETLINK,
    command: 0,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    request: newFlow,
    reply: flow,
  }),
  get: netfilterCommand({
    name: 'IPCTNL_MSG_CT_GET',
    subsystem: NFNL_SUBSYS_CTNETLINK,
    command: 1,
    request: flowFilter,
    reply: flow,
  }),
  delete: netfilterCommand({
    name: 'IPCTNL_MSG_CT_DELETE',
    subsystem: NFNL_SUBSYS_CTNETLINK,
    command: 2,
    request: flowName,
    reply: flow,
  }),
} as const;
