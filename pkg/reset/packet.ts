import { addressBytes, familyOf, type IpAddress } from '../ip/address.ts';
import { internetChecksum } from '../wire/checksum.ts';
import { encode } from '../wire/codec.ts';
import type { ClientConnection } from './reset.ts';
import { ipv4Header, ipv6Header, tcpHeader } from './schema.ts';

const IPPROTO_TCP = 6;
const TCP_SYN = 0x02;
const TCP_RST = 0x04;
const IP_DF = 0x4000;
const tcpLength = 20;
const hops = 64;

/** The variable parts of a TCP segment without data. */
interface Segment {
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly flags: number;
}

/** An IP packet with a SYN without options from a connection's server to its client. */
export function synPacket(connection: ClientConnection, sequence: number): Uint8Array {
  const { server, serverPort, client, clientPort } = connection;
  return packet({
    source: server,
    sourcePort: serverPort,
    destination: client,
    destinationPort: clientPort,
    sequence,
    flags: TCP_SYN,
  });
}

/** An IP packet with a RST from a connection's client to its server. */
export function rstPacket(connection: ClientConnection, sequence: number): Uint8Array {
  const { server, serverPort, client, clientPort } = connection;
  return packet({
    source: client,
    sourcePort: clientPort,
    destination: server,
    destinationPort: serverPort,
    sequence,
    flags: TCP_RST,
  });
}

function packet(segment: Segment): Uint8Array {
  return Buffer.concat([ipHeader(segment), tcpSegment(segment)]);
}

function ipHeader({ source, destination }: Segment): Uint8Array {
  if (familyOf(source) === 'IPv6') {
    return encode(ipv6Header, {
      versionAndFlow: 0x6000_0000,
      payloadLength: tcpLength,
      nextHeader: IPPROTO_TCP,
      hopLimit: hops,
      source,
      destination,
    });
  }
  return encode(ipv4Header, {
    versionAndLength: 0x45,
    service: 0,
    totalLength: 20 + tcpLength,
    identification: 0,
    flagsAndOffset: IP_DF,
    timeToLive: hops,
    protocol: IPPROTO_TCP,
    checksum: 0, // filled in by the kernel
    source,
    destination,
  });
}

function tcpSegment({ source, destination, ...segment }: Segment): Uint8Array {
  const header = {
    ...segment,
    acknowledgement: 0,
    dataOffset: (tcpLength / 4) * 16,
    window: 65_535,
    checksum: 0,
    urgentPointer: 0,
  };
  // The pseudo header without zeros: the order does not change the sum.
  const pseudo = [addressBytes(source), addressBytes(destination), [0, IPPROTO_TCP, 0, tcpLength]];
  const checksum = internetChecksum(...pseudo, encode(tcpHeader, header));
  return encode(tcpHeader, { ...header, checksum });
}
