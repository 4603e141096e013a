import { NFNL_SUBSYS_NFTABLES, netfilterCommand } from '../netlink/netfilter.ts';
import { attributes, required } from '../wire/attributes.ts';
import { u32be } from '../wire/codec.ts';

/** A request without attributes. */
const nothing = attributes('NFTA', {});

/** NFTA_GEN: the generation of a namespace's rules, from linux/netfilter/nf_tables.h. */
export const generation = attributes('NFTA_GEN', {
  id: required(1, u32be),
});

/** NFT_MSG_GETGEN. */
export const getGeneration = netfilterCommand({
  name: 'NFT_MSG_GETGEN',
  subsystem: NFNL_SUBSYS_NFTABLES,
  command: 16,
  request: nothing,
  reply: generation,
});
