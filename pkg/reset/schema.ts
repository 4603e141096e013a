import { addressBytes, addressFromBytes } from '../ip/address.ts';
import { octets, u8, u16be, u32be } from '../wire/codec.ts';
import { mapped, struct } from '../wire/struct.ts';

// What stands in front of a packet's data, without options.

const ipv4Address = mapped(octets(4), { decode: addressFromBytes, encode: addressBytes });
const ipv6Address = mapped(octets(16), { decode: addressFromBytes, encode: addressBytes });

/** RFC 791, section 3.1. */
export const ipv4Header = struct({
  versionAndLength: u8,
  service: u8,
  totalLength: u16be,
  identification: u16be,
  flagsAndOffset: u16be,
  timeToLive: u8,
  protocol: u8,
  checksum: u16be,
  source: ipv4Address,
  destination: ipv4Address,
});

/** RFC 8200, section 3. */
export const ipv6Header = struct({
  versionAndFlow: u32be,
  payloadLength: u16be,
  nextHeader: u8,
  hopLimit: u8,
  source: ipv6Address,
  destination: ipv6Address,
});

/** RFC 9293, section 3.1. */
export const tcpHeader = struct({
  sourcePort: u16be,
  destinationPort: u16be,
  sequence: u32be,
  acknowledgement: u32be,
  dataOffset: u8,
  flags: u8,
  window: u16be,
  checksum: u16be,
  urgentPointer: u16be,
});
