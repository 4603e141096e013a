import {
  addressBits,
  addressBytes,
  addressFromBytes,
  familyOf,
  type IpAddress,
  parseAddress,
} from '../ip/address.ts';
import { prefix } from '../ip/prefix.ts';
import { type Protocol, protocolFromNumber, protocolNumber } from '../ip/protocol.ts';
import { AF_INET, AF_INET6, addressFamily } from '../netlink/addresses.ts';
import { decode, encode, u32 } from '../wire/codec.ts';
import { DecodeError } from '../wire/reader.ts';
import {
  type Forwarding,
  IP_VS_SVC_F_HASHED,
  noPrefix,
  type RealServer,
  type RealServerId,
  type RealServerStatus,
  type VirtualServer,
  type VirtualServerId,
  type VirtualServerStatus,
} from './ipvs.ts';
import type { Dest, DestId, DestStatus, Service, ServiceId, ServiceStatus } from './schema.ts';

/** IP_VS_CONN_F_* of linux/ip_vs.h, IP_VS_CONN_F_FWD_MASK of them: MASQ, LOCALNODE, TUNNEL, DROUTE, BYPASS. */
const forwardings: readonly Forwarding[] = ['masquerade', 'local', 'tunnel', 'direct', 'bypass'];
const forwardingMask = 0x7;

/** The kernel's words for a virtual server, by key. */
export function serviceIdOf({ address, protocol, port }: VirtualServerId): ServiceId {
  return {
    family: addressFamily(address),
    protocol: protocolNumber(protocol),
    address: wireAddress(address),
    port,
  };
}

/** The kernel's words for a virtual server. */
export function serviceOf(virtualServer: VirtualServer): Service {
  return {
    ...serviceIdOf(virtualServer),
    scheduler: virtualServer.scheduler,
    flags: { value: virtualServer.flags, mask: 0xffffffff },
    timeout: virtualServer.timeout,
    netmask: wireNetmask(virtualServer),
    persistenceEngine:
      virtualServer.persistenceEngine === '' ? undefined : virtualServer.persistenceEngine,
  };
}

/** The kernel's words for a real server, by key. */
export function destIdOf({ address, port }: RealServerId): DestId {
  return { address: wireAddress(address), port, family: addressFamily(address) };
}

/** IP_VS_CONN_F_FWD_MASK's part of a real server's flags. */
export function forwardingNumber(forwarding: Forwarding): number {
  return forwardings.indexOf(forwarding);
}

/** The kernel's words for a real server. */
export function destOf(realServer: RealServer): Dest {
  return {
    address: wireAddress(realServer.address),
    port: realServer.port,
    family: addressFamily(realServer.address),
    forwarding: forwardingNumber(realServer.forwarding),
    weight: realServer.weight,
    upperThreshold: realServer.upperThreshold,
    lowerThreshold: realServer.lowerThreshold,
  };
}

/**
 * A virtual server as the kernel reports it; `undefined` for a firewall mark and for a protocol that no Service has.
 * DecodeError for what no kernel says.
 */
export function virtualServerOf(status: ServiceStatus): VirtualServerStatus | undefined {
  const { family, address, port } = status;
  const protocol: Protocol | undefined = protocolFromNumber(status.protocol ?? 0);
  if (address === undefined || port === undefined || protocol === undefined) return undefined;
  return {
    address: addressOf(address, family),
    protocol,
    port,
    scheduler: status.scheduler,
    flags: status.flags.value & ~IP_VS_SVC_F_HASHED,
    timeout: status.timeout,
    prefixLength: prefixLengthOf(status.netmask, family),
    persistenceEngine: status.persistenceEngine ?? '',
    statistics: status.statistics,
  };
}

/** A real server as the kernel reports it, or DecodeError. `serviceFamily` is its own where the kernel does not tell. */
export function realServerOf(status: DestStatus, serviceFamily: number): RealServerStatus {
  return {
    address: addressOf(status.address, status.family ?? serviceFamily),
    port: status.port,
    weight: status.weight,
    forwarding: forwardingOf(status.forwarding),
    upperThreshold: status.upperThreshold,
    lowerThreshold: status.lowerThreshold,
    activeConnections: status.activeConnections,
    inactiveConnections: status.inactiveConnections,
    persistentConnections: status.persistentConnections,
    statistics: status.statistics,
  };
}

/** 0x010201 is 1.2.1. */
export function printVersion(version: number): string {
  return `${version >>> 16}.${(version >>> 8) & 0xff}.${version & 0xff}`;
}

/** union nf_inet_addr. */
function wireAddress(address: IpAddress): Uint8Array {
  const bytes = addressBytes(address);
  if (bytes.length === 16) return bytes;
  const padded = new Uint8Array(16);
  padded.set(bytes);
  return padded;
}

function addressOf(bytes: Uint8Array, family: number): IpAddress {
  if (family !== AF_INET && family !== AF_INET6)
    throw new DecodeError(`no address family: ${family}`);
  if (bytes.length !== 16) throw new DecodeError(`${bytes.length} bytes of address, not 16`);
  return addressFromBytes(family === AF_INET ? bytes.subarray(0, 4) : bytes);
}

/** The forwarding method of a real server's flags; DecodeError for none that there is. */
export function forwardingOf(flags: number): Forwarding {
  const found = forwardings[flags & forwardingMask];
  if (found === undefined) throw new DecodeError(`no forwarding method: ${flags}`);
  return found;
}

const allOnes = parseAddress('255.255.255.255') as IpAddress; // a literal that parses

/** The IPv4 masks by their lengths. */
const netmasks: readonly Uint8Array[] = Array.from(
  { length: addressBits('IPv4') + 1 },
  (_, length) => addressBytes(prefix(allOnes, length).address),
);

/** IPVS_SVC_ATTR_NETMASK of a virtual server. */
export function wireNetmask({
  address,
  prefixLength,
}: Pick<VirtualServer, 'address' | 'prefixLength'>): Uint8Array {
  if (familyOf(address) === 'IPv6') return encode(u32, prefixLength);
  const length = Math.min(Math.max(prefixLength, 0), addressBits('IPv4'));
  return netmasks[length] as Uint8Array; // there is one for each length
}

/** The kernel takes any IPv4 mask from anybody: {@link noPrefix} for one that is no prefix, which differs from whatever is wanted. */
function prefixLengthOf(netmask: Uint8Array, family: number): number {
  if (family === AF_INET) return prefixLengths.get(addressFromBytes(netmask)) ?? noPrefix;
  const length = decode(u32, netmask);
  if (length > addressBits('IPv6')) throw new DecodeError(`no prefix length: ${length}`);
  return length;
}

/** The lengths of all IPv4 masks. */
const prefixLengths: ReadonlyMap<IpAddress, number> = new Map(
  netmasks.map((netmask, length) => [addressFromBytes(netmask), length]),
);
