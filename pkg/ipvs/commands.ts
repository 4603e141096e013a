import { genericCommand } from '../netlink/generic.ts';
import {
  destIdMessage,
  destMessage,
  destStatusMessage,
  emptyMessage,
  infoMessage,
  serviceIdMessage,
  serviceMessage,
  serviceStatusMessage,
  timeoutsMessage,
} from './schema.ts';

/** IPVS_GENL_NAME and IPVS_GENL_VERSION of linux/ip_vs.h. */
export const IPVS_GENL_NAME = 'IPVS';
const version = 1;

// IPVS_CMD_* of linux/ip_vs.h that are used.

/** Adds a virtual server. EEXIST if it exists. */
export const newService = genericCommand({
  name: 'IPVS_CMD_NEW_SERVICE',
  command: 1,
  version,
  request: serviceMessage,
  reply: emptyMessage,
});
/** Changes a virtual server's scheduler, flags and timeout in place; ESRCH if there is none. */
export const setService = genericCommand({
  name: 'IPVS_CMD_SET_SERVICE',
  command: 2,
  version,
  request: serviceMessage,
  reply: emptyMessage,
});
/** Deletes a virtual server with its real servers; ESRCH if there is none. */
export const deleteService = genericCommand({
  name: 'IPVS_CMD_DEL_SERVICE',
  command: 3,
  version,
  request: serviceIdMessage,
  reply: emptyMessage,
});
/** Reads one virtual server; ESRCH if there is none. */
export const getService = genericCommand({
  name: 'IPVS_CMD_GET_SERVICE',
  command: 4,
  version,
  request: serviceIdMessage,
  reply: serviceStatusMessage,
});
/** Reads all virtual servers: a dump. */
export const listServices = genericCommand({
  name: 'IPVS_CMD_GET_SERVICE',
  command: 4,
  version,
  request: emptyMessage,
  reply: serviceStatusMessage,
});
/** Adds a real server. EEXIST if its virtual server has it. */
export const newDest = genericCommand({
  name: 'IPVS_CMD_NEW_DEST',
  command: 5,
  version,
  request: destMessage,
  reply: emptyMessage,
});
/** Changes a real server's weight, forwarding and thresholds in place; ENOENT if there is none. */
export const setDest = genericCommand({
  name: 'IPVS_CMD_SET_DEST',
  command: 6,
  version,
  request: destMessage,
  reply: emptyMessage,
});
/** Deletes a real server; ENOENT if there is none. */
export const deleteDest = genericCommand({
  name: 'IPVS_CMD_DEL_DEST',
  command: 7,
  version,
  request: destIdMessage,
  reply: emptyMessage,
});
/** Reads the real servers of one virtual server: a dump. */
export const listDests = genericCommand({
  name: 'IPVS_CMD_GET_DEST',
  command: 8,
  version,
  request: serviceIdMessage,
  reply: destStatusMessage,
});
/** Sets the timeouts of connections, in seconds; 0 leaves one unchanged. */
export const setConfig = genericCommand({
  name: 'IPVS_CMD_SET_CONFIG',
  command: 12,
  version,
  request: timeoutsMessage,
  reply: emptyMessage,
});
/** Reads the timeouts of connections. */
export const getConfig = genericCommand({
  name: 'IPVS_CMD_GET_CONFIG',
  command: 13,
  version,
  request: emptyMessage,
  reply: timeoutsMessage,
});
/** Reads the version of IPVS and the size of its table of connections. */
export const getInfo = genericCommand({
  name: 'IPVS_CMD_GET_INFO',
  command: 15,
  version,
  request: emptyMessage,
  reply: infoMessage,
});
