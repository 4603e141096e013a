import { attributes, optional, required } from '../wire/attributes.ts';
import { bytesOf, cstring, u16, u16be, u32, u64, type ValueOf } from '../wire/codec.ts';
import { struct } from '../wire/struct.ts';

// Tables of linux/ip_vs.h. The kernel's service and dest are the virtual server and the real server.

/** IPVS_SVC_ATTR: the key of a service. */
const serviceKey = {
  family: required(1, u16), // AF
  protocol: required(2, u16),
  address: required(3, bytesOf(16)), // ADDR: union nf_inet_addr, an IPv4 address in its first four bytes
  port: required(4, u16be),
};

/** IPVS_SVC_ATTR: the settings of a service. */
const serviceSettings = {
  scheduler: required(6, cstring), // SCHED_NAME
  flags: required(7, struct({ value: u32, mask: u32 })),
  timeout: required(8, u32), // seconds
  netmask: required(9, bytesOf(4)), // IPv4: the mask; IPv6: the prefix length, a number in the host's order
  persistenceEngine: optional(11, cstring), // PE_NAME
};

/** IPVS_STATS_ATTR within STATS64, which all kernels since 4.1 send beside the 32-bit STATS. Those are ignored. */
export const statistics = attributes('IPVS_STATS_ATTR', {
  connections: required(1, u64), // CONNS
  incomingPackets: required(2, u64), // INPKTS
  outgoingPackets: required(3, u64), // OUTPKTS
  incomingBytes: required(4, u64), // INBYTES
  outgoingBytes: required(5, u64), // OUTBYTES
});

/** The key of a service. */
export const serviceId = attributes('IPVS_SVC_ATTR', serviceKey);

/** A service as it is written. */
export const service = attributes('IPVS_SVC_ATTR', { ...serviceKey, ...serviceSettings });

/** A service as the kernel reports it. One without an address has a firewall mark. */
export const serviceStatus = attributes('IPVS_SVC_ATTR', {
  family: required(1, u16), // AF
  protocol: optional(2, u16),
  address: optional(3, bytesOf(16)), // ADDR
  port: optional(4, u16be),
  ...serviceSettings,
  statistics: required(12, statistics), // STATS64
});

/** IPVS_DEST_ATTR: the key of a dest within its service. */
const destKey = {
  address: required(1, bytesOf(16)), // ADDR, as that of a service
  port: required(2, u16be),
  family: optional(11, u16), // ADDR_FAMILY
};

/** IPVS_DEST_ATTR: the settings of a dest. */
const destSettings = {
  forwarding: required(3, u32), // FWD_METHOD: IP_VS_CONN_F_FWD_MASK
  weight: required(4, u32),
  upperThreshold: required(5, u32), // U_THRESH
  lowerThreshold: required(6, u32), // L_THRESH
};

/** The key of a dest. */
export const destId = attributes('IPVS_DEST_ATTR', destKey);

/** A dest as it is written. */
export const dest = attributes('IPVS_DEST_ATTR', { ...destKey, ...destSettings });

/** A dest as the kernel reports it. */
export const destStatus = attributes('IPVS_DEST_ATTR', {
  ...destKey,
  ...destSettings,
  activeConnections: required(7, u32), // ACTIVE_CONNS
  inactiveConnections: required(8, u32), // INACT_CONNS
  persistentConnections: required(9, u32), // PERSIST_CONNS
  statistics: required(12, statistics), // STATS64
});

/** IPVS_CMD_DEL_SERVICE, and IPVS_CMD_GET_SERVICE and IPVS_CMD_GET_DEST of one service: a nested key. */
export const serviceIdMessage = attributes('IPVS_CMD_ATTR', { service: required(1, serviceId) });
/** IPVS_CMD_NEW_SERVICE and IPVS_CMD_SET_SERVICE: a nested service with its settings. */
export const serviceMessage = attributes('IPVS_CMD_ATTR', { service: required(1, service) });
/** The answer to IPVS_CMD_GET_SERVICE: a nested service with its 64-bit statistics. */
export const serviceStatusMessage = attributes('IPVS_CMD_ATTR', {
  service: required(1, serviceStatus),
});
/** IPVS_CMD_DEL_DEST: the nested keys of a service and a dest. */
export const destIdMessage = attributes('IPVS_CMD_ATTR', {
  service: required(1, serviceId),
  dest: required(2, destId),
});
/** IPVS_CMD_NEW_DEST and IPVS_CMD_SET_DEST: the key of a service, and a dest with its settings. */
export const destMessage = attributes('IPVS_CMD_ATTR', {
  service: required(1, serviceId),
  dest: required(2, dest),
});
/** The answer to IPVS_CMD_GET_DEST: one dest with its counters. The service is that of the request. */
export const destStatusMessage = attributes('IPVS_CMD_ATTR', { dest: required(2, destStatus) });
/** IPVS_CMD_SET_CONFIG, and the answer to IPVS_CMD_GET_CONFIG: timeouts in seconds. */
export const timeoutsMessage = attributes('IPVS_CMD_ATTR', {
  tcp: required(4, u32), // TIMEOUT_TCP, seconds
  tcpFin: required(5, u32), // TIMEOUT_TCP_FIN
  udp: required(6, u32), // TIMEOUT_UDP
});
/** A request without attributes, or an answer whose attributes are not read. */
export const emptyMessage = attributes('IPVS_CMD_ATTR', {});
/** The answer to IPVS_CMD_GET_INFO: IPVS_INFO_ATTR, not nested in an IPVS_CMD_ATTR. */
export const infoMessage = attributes('IPVS_INFO_ATTR', {
  version: required(1, u32), // 0x010201 is 1.2.1
  connectionTableSize: required(2, u32), // CONN_TAB_SIZE
});

/** A value of {@link emptyMessage}. */
export type EmptyMessage = ValueOf<typeof emptyMessage>;
/** A value of {@link serviceId}. */
export type ServiceId = ValueOf<typeof serviceId>;
/** A value of {@link service}. */
export type Service = ValueOf<typeof service>;
/** A value of {@link serviceStatus}. */
export type ServiceStatus = ValueOf<typeof serviceStatus>;
/** A value of {@link destId}. */
export type DestId = ValueOf<typeof destId>;
/** A value of {@link dest}. */
export type Dest = ValueOf<typeof dest>;
/** A value of {@link destStatus}. */
export type DestStatus = ValueOf<typeof destStatus>;
