import { NFNL_SUBSYS_NFTABLES, netfilterCommand } from '../netlink/netfilter.ts';
import { attributes, optional } from '../wire/attributes.ts';
import { cstring } from '../wire/codec.ts';

/** NFPROTO_* of linux/netfilter.h. */
export const NFPROTO_UNSPEC = 0;
export const NFPROTO_IPV4 = 2;
export const NFPROTO_IPV6 = 10;

/** The other NFPROTO_* of tables, as `nft` calls them. */
export const otherFamilies: Readonly<Record<number, string>> = {
  1: 'inet',
  3: 'arp',
  5: 'netdev',
  7: 'bridge',
};

/** NFTA_TABLE: one table. Numbers from linux/netfilter/nf_tables.h. */
export const table = attributes('NFTA_TABLE', {
  name: optional(1, cstring),
});

/** NFT_MSG_GETTABLE, answered by NFT_MSG_NEWTABLE. */
export const getTable = netfilterCommand({
  name: 'NFT_MSG_GETTABLE',
  subsystem: NFNL_SUBSYS_NFTABLES,
  command: 1,
  request: table,
  reply: table,
});

/** NFT_MSG_DELTABLE: only inside of a transaction. */
export const deleteTable = netfilterCommand({
  name: 'NFT_MSG_DELTABLE',
  subsystem: NFNL_SUBSYS_NFTABLES,
  command: 2,
  request: table,
  reply: table,
});
