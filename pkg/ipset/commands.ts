import { NLM_F_CREATE, NLM_F_EXCL } from '../netlink/message.ts';
import { NFNL_SUBSYS_IPSET, netfilterCommand } from '../netlink/netfilter.ts';
import {
  createRequest,
  entriesRequest,
  headerReply,
  listReply,
  listRequest,
  nameMessage,
  nothing,
  protocolMessage,
  rawListReply,
  swapRequest,
  typeReply,
  typeRequest,
} from './schema.ts';

const subsystem = NFNL_SUBSYS_IPSET;

/** IPSET_CMD_*. */
export const commands = {
  protocol: netfilterCommand({
    name: 'IPSET_CMD_PROTOCOL',
    subsystem,
    command: 1,
    request: protocolMessage,
    reply: protocolMessage,
  }),
  /** EEXIST if there is any set of this name. */
  create: netfilterCommand({
    name: 'IPSET_CMD_CREATE',
    subsystem,
    command: 2,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    request: createRequest,
    reply: nothing,
  }),
  /** EEXIST if there is another set of this name; its family is not compared. */
  createOrFind: netfilterCommand({
    name: 'IPSET_CMD_CREATE',
    subsystem,
    command: 2,
    flags: NLM_F_CREATE,
    request: createRequest,
    reply: nothing,
  }),
  destroy: netfilterCommand({
    name: 'IPSET_CMD_DESTROY',
    subsystem,
    command: 3,
    flags: NLM_F_EXCL, // without it newer kernels report success for a missing set
    request: nameMessage,
    reply: nothing,
  }),
  swap: netfilterCommand({
    name: 'IPSET_CMD_SWAP',
    subsystem,
    command: 6,
    request: swapRequest,
    reply: nothing,
  }),
  list: netfilterCommand({
    name: 'IPSET_CMD_LIST',
    subsystem,
    command: 7,
    request: listRequest,
    reply: listReply,
  }),
  rawList: netfilterCommand({
    name: 'IPSET_CMD_LIST',
    subsystem,
    command: 7,
    request: listRequest,
    reply: rawListReply,
  }),
  // Both without NLM_F_EXCL: adding a present entry or deleting a missing one is no error.
  add: netfilterCommand({
    name: 'IPSET_CMD_ADD',
    subsystem,
    command: 9,
    request: entriesRequest,
    reply: nothing,
  }),
  delete: netfilterCommand({
    name: 'IPSET_CMD_DEL',
    subsystem,
    command: 10,
    request: entriesRequest,
    reply: nothing,
  }),
  header: netfilterCommand({
    name: 'IPSET_CMD_HEADER',
    subsystem,
    command: 12,
    request: nameMessage,
    reply: headerReply,
  }),
  type: netfilterCommand({
    name: 'IPSET_CMD_TYPE',
    subsystem,
    command: 13,
    request: typeRequest,
    reply: typeReply,
  }),
} as const;
