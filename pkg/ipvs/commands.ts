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

/** IPVS_CMD_* of linux/ip_vs.h: one row for each that is used. */
export const newService = genericCommand({
  name: 'IPVS_CMD_NEW_SERVICE',
  command: 1,
  version,
  request: serviceMessage,
  reply: emptyMessage,
});
export const setService = genericCommand({
  name: 'IPVS_CMD_SET_SERVICE',
  command: 2,
  version,
  request: serviceMessage,
  reply: emptyMessage,
});
export const deleteService = genericCommand({
  name: 'IPVS_CMD_DEL_SERVICE',
  command: 3,
  version,
  request: serviceIdMessage,
  reply: emptyMessage,
});
export const getService = genericCommand({
  name: 'IPVS_CMD_GET_SERVICE',
  command: 4,
  version,
  request: serviceIdMessage,
  reply: serviceStatusMessage,
});
export const listServices = genericCommand({
  name: 'IPVS_CMD_GET_SERVICE',
  command: 4,
  version,
  request: emptyMessage,
  reply: serviceStatusMessage,
});
export const newDest = genericCommand({
  name: 'IPVS_CMD_NEW_DEST',
  command: 5,
  version,
  request: destMessage,
  reply: emptyMessage,
});
export const setDest = genericCommand({
  name: 'IPVS_CMD_SET_DEST',
  command: 6,
  version,
  request: destMessage,
  reply: emptyMessage,
});
export const deleteDest = genericCommand({
  name: 'IPVS_CMD_DEL_DEST',
  command: 7,
  version,
  request: destIdMessage,
  reply: emptyMessage,
});
export const listDests = genericCommand({
  name: 'IPVS_CMD_GET_DEST',
  command: 8,
  version,
  request: serviceIdMessage,
  reply: destStatusMessage,
});
export const setConfig = genericCommand({
  name: 'IPVS_CMD_SET_CONFIG',
  command: 12,
  version,
  request: timeoutsMessage,
  reply: emptyMessage,
});
export const getConfig = genericCommand({
  name: 'IPVS_CMD_GET_CONFIG',
  command: 13,
  version,
  request: emptyMessage,
  reply: timeoutsMessage,
});
export const getInfo = genericCommand({
  name: 'IPVS_CMD_GET_INFO',
  command: 15,
  version,
  request: emptyMessage,
  reply: infoMessage,
});
