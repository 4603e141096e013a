import { type Codec, padding, u8, u16be } from '../wire/codec.ts';
import { struct } from '../wire/struct.ts';
import type { TableCommand } from './message.ts';

/** NETLINK_NETFILTER of linux/netlink.h. */
export const NETLINK_NETFILTER = 12;

/** NFNL_SUBSYS_* of linux/netfilter/nfnetlink.h. */
export const NFNL_SUBSYS_CTNETLINK = 1;
export const NFNL_SUBSYS_IPSET = 6;
export const NFNL_SUBSYS_NFTABLES = 10;

const subsystems = new Map([
  [NFNL_SUBSYS_CTNETLINK, 'conntrack'],
  [NFNL_SUBSYS_IPSET, 'ipset'],
  [NFNL_SUBSYS_NFTABLES, 'nftables'],
]);

/** The subsystem of nfnetlink that a message is for, by its nlmsg_type: `ipset`; `netfilter` for one that has no name here. */
export function netfilterSubsystem(type: number): string {
  return subsystems.get(type >> 8) ?? 'netfilter';
}

/** nfgenmsg and the attributes. Version and resource id are 0 in requests and unused in answers. */
export type NetfilterMessage<Body> = { readonly family: number; readonly body: Body };

/** A payload of nfnetlink: nfgenmsg (NFPROTO_* family), then the attributes. */
function netfilterMessage<Body>(body: Codec<Body>): Codec<NetfilterMessage<Body>> {
  const codec = struct({ family: u8, versionAndResource: padding(3), body });
  return codec as Codec<unknown> as Codec<NetfilterMessage<Body>>; // the same fields; TypeScript cannot verify it for a generic type
}

/** A command of an nfnetlink subsystem. */
export function netfilterCommand<Request, Reply>(row: {
  readonly name: string;
  readonly subsystem: number;
  readonly command: number;
  readonly flags?: number;
  readonly request: Codec<Request>;
  readonly reply: Codec<Reply>;
}): TableCommand<NetfilterMessage<Request>, NetfilterMessage<Reply>> {
  return {
    name: row.name,
    type: row.subsystem * 256 + row.command,
    flags: row.flags ?? 0,
    request: netfilterMessage(row.request),
    reply: netfilterMessage(row.reply),
  };
}

/** nfgenmsg with the subsystem that a transaction is for. */
const transactionEdge = struct({ family: u8, version: padding(1), subsystem: u16be });

/** Number from linux/netfilter/nfnetlink.h. The messages up to {@link endTransaction} take effect all together or not at all. */
export const beginTransaction = edge('NFNL_MSG_BATCH_BEGIN', 0x10);
/** Number from linux/netfilter/nfnetlink.h. Commits the messages before it. The kernel does not acknowledge it. */
export const endTransaction = edge('NFNL_MSG_BATCH_END', 0x11);

function edge(name: string, type: number) {
  return { name, type, flags: 0, request: transactionEdge, reply: transactionEdge };
}
