import type { Failure } from '../errno/errno.ts';
import { type IpAddress, printHostPort } from '../ip/address.ts';
import type { Protocol } from '../ip/protocol.ts';

/** The key of a virtual server. The kernel holds at most one for each. */
export interface VirtualServerId {
  readonly address: IpAddress;
  readonly protocol: Protocol;
  readonly port: number;
}

/** IP_VS_SVC_F_* of linux/ip_vs.h. HASHED is set by the kernel; it is neither requested nor reported here. */
export const IP_VS_SVC_F_PERSISTENT = 0x1;
/** Set by the kernel for virtual servers in its tables. */
export const IP_VS_SVC_F_HASHED = 0x2;
/** UDP: each packet is scheduled by itself. */
export const IP_VS_SVC_F_ONEPACKET = 0x4;
/** A flag of the scheduler: for `sh` and `mh` SCHED1 is the fallback, and SCHED2 hashes the source port too. */
export const IP_VS_SVC_F_SCHED1 = 0x8;
export const IP_VS_SVC_F_SCHED2 = 0x10;
export const IP_VS_SVC_F_SCHED3 = 0x20;

/** The prefix length for an IPv4 mask that is no prefix, which another program has set. */
export const noPrefix = -1;

/** A virtual server as it is written. */
export interface VirtualServer extends VirtualServerId {
  /** `rr`, `lc`, `sh`, …: the module is `ip_vs_<name>`. */
  readonly scheduler: string;
  /** IP_VS_SVC_F_*, without HASHED. */
  readonly flags: number;
  /** How long a client stays at its real server, in seconds; 0 unless PERSISTENT. */
  readonly timeout: number;
  /** The prefix length by which clients count as one for persistence: 32 or 128 for single addresses. */
  readonly prefixLength: number;
  /** The name of the persistence engine (`sip`), or '' for none. */
  readonly persistenceEngine: string;
}

/** Counters since the creation, as of the estimator's last run (every 2 s). */
export interface Statistics {
  readonly connections: bigint;
  readonly incomingPackets: bigint;
  readonly outgoingPackets: bigint;
  readonly incomingBytes: bigint;
  readonly outgoingBytes: bigint;
}

/** The counters of an object that nothing went through yet. */
export const noStatistics: Statistics = {
  connections: 0n,
  incomingPackets: 0n,
  outgoingPackets: 0n,
  incomingBytes: 0n,
  outgoingBytes: 0n,
};

/** A virtual server as the kernel reports it. */
export interface VirtualServerStatus extends VirtualServer {
  readonly statistics: Statistics;
}

/** How packets reach a real server: IP_VS_CONN_F_* of linux/ip_vs.h. */
export type Forwarding = 'masquerade' | 'local' | 'tunnel' | 'direct' | 'bypass';

/** The key of a real server within its virtual server. */
export interface RealServerId {
  readonly address: IpAddress;
  readonly port: number;
}

/** A real server as it is written. */
export interface RealServer extends RealServerId {
  /** With weight 0 it gets no new connections and keeps the old ones. */
  readonly weight: number;
  readonly forwarding: Forwarding;
  /** With so many connections it gets no new ones until they fall below the lower threshold; 0 for no limit. */
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
}

/** A real server as the kernel reports it. */
export interface RealServerStatus extends RealServer {
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly persistentConnections: number;
  readonly statistics: Statistics;
}

/** One write. The kernel does the writes of a batch in order. */
export type IpvsWrite =
  | { readonly kind: 'addVirtualServer'; readonly virtualServer: VirtualServer }
  | { readonly kind: 'updateVirtualServer'; readonly virtualServer: VirtualServer }
  | { readonly kind: 'deleteVirtualServer'; readonly virtualServer: VirtualServerId }
  | {
      readonly kind: 'addRealServer';
      readonly virtualServer: VirtualServerId;
      readonly realServer: RealServer;
    }
  | {
      readonly kind: 'updateRealServer';
      readonly virtualServer: VirtualServerId;
      readonly realServer: RealServer;
    }
  | {
      readonly kind: 'deleteRealServer';
      readonly virtualServer: VirtualServerId;
      readonly realServer: RealServerId;
    };

/** IPVS_CMD_GET_INFO. */
export interface IpvsInfo {
  /** `1.2.1`. */
  readonly version: string;
  readonly connectionTableSize: number;
}

/** Seconds; 0 in a write keeps the kernel's value. */
export interface IpvsTimeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

/**
 * The kernel's load balancer in this network namespace.
 *
 * A write is done when the call returns. A read of many objects may let the event loop turn between two
 * receives; a write until it has ended throws, because the kernel would then skip objects without saying so.
 * Firewall-mark services are never ours: no read reports them.
 */
export interface Ipvs {
  /** Tries every write in order and returns those that failed; ENOENT or ESRCH for a missing object, EEXIST for one that exists. */
  write(batch: readonly IpvsWrite[]): readonly Failure[];
  virtualServers(): Promise<readonly VirtualServerStatus[]>;
  virtualServer(id: VirtualServerId): VirtualServerStatus | undefined;
  /**
   * The real servers of a virtual server; with `addresses` only those with one of them. None if there is no such virtual server, as the
   * kernel answers the same.
   */
  realServers(
    id: VirtualServerId,
    addresses?: ReadonlySet<IpAddress>,
  ): Promise<readonly RealServerStatus[]>;
  info(): IpvsInfo;
  timeouts(): IpvsTimeouts;
  setTimeouts(timeouts: IpvsTimeouts): void;
}

/**
 * A virtual server whose map key is made once: {@link virtualServerKey} makes no text for this object. The key is no property, so
 * that a copy with another address or port does not inherit it.
 */
class KeyedVirtualServer implements VirtualServer {
  readonly address: IpAddress;
  readonly protocol: Protocol;
  readonly port: number;
  readonly scheduler: string;
  readonly flags: number;
  readonly timeout: number;
  readonly prefixLength: number;
  readonly persistenceEngine: string;
  readonly #key: string;

  constructor(virtualServer: VirtualServer, key: string) {
    this.address = virtualServer.address;
    this.protocol = virtualServer.protocol;
    this.port = virtualServer.port;
    this.scheduler = virtualServer.scheduler;
    this.flags = virtualServer.flags;
    this.timeout = virtualServer.timeout;
    this.prefixLength = virtualServer.prefixLength;
    this.persistenceEngine = virtualServer.persistenceEngine;
    this.#key = key;
  }

  static keyOf(id: VirtualServerId): string | undefined {
    return #key in id ? id.#key : undefined;
  }
}

/** The virtual server with its map key, without further properties such as counters. */
export function keyedVirtualServer(virtualServer: VirtualServer): VirtualServer {
  return new KeyedVirtualServer(virtualServer, virtualServerKey(virtualServer));
}

/** A map key for a virtual server. */
export function virtualServerKey(id: VirtualServerId): string {
  const { address, protocol, port } = id;
  // Joined, as a text made by `+` keeps its parts in memory.
  return KeyedVirtualServer.keyOf(id) ?? [protocol, address, port].join(' ');
}

/** A map key for a real server within its virtual server. */
export function realServerKey({ address, port }: RealServerId): string {
  return `${address} ${port}`;
}

/** `10.96.0.1:443/TCP`. */
export function printVirtualServer({ address, protocol, port }: VirtualServerId): string {
  return `${printHostPort(address, port)}/${protocol}`;
}

/** `10.0.0.7:80`. */
export function printRealServer({ address, port }: RealServerId): string {
  return printHostPort(address, port);
}
