import { familyOf, type IpAddress } from '../ip/address.ts';
import { ipv4Address, ipv6Address } from '../netlink/addresses.ts';
import { attributes, optional, repeated, required } from '../wire/attributes.ts';
import { bytes, cstring, u8, u16be, u32, u32be } from '../wire/codec.ts';
import { DecodeError } from '../wire/reader.ts';
import { mapped } from '../wire/struct.ts';

// Numbers from linux/netfilter/ipset/ip_set.h. ipset refuses numbers and addresses without NLA_F_NET_BYTEORDER.

const netByteOrder = { netByteOrder: true } as const;

/** IPSET_ATTR_IPADDR_*: the attribute's type is the family. */
const address = mapped(
  attributes('IPSET_ATTR_IPADDR', {
    ipv4: optional(1, ipv4Address, netByteOrder), // IPV4
    ipv6: optional(2, ipv6Address, netByteOrder), // IPV6
  }),
  {
    decode({ ipv4, ipv6 }): IpAddress {
      const either = ipv4 ?? ipv6;
      if (either === undefined) throw new DecodeError('no address');
      return either;
    },
    encode: (ip) => (familyOf(ip) === 'IPv4' ? { ipv4: ip } : { ipv6: ip }),
  },
);

/** IPSET_FLAG_NOMATCH in an entry's flags: an exception from a larger network. */
export const IPSET_FLAG_NOMATCH = 1 << 2;

/** IPSET_FLAG_LIST_HEADER in a list request: without entries. */
export const IPSET_FLAG_LIST_HEADER = 1 << 2;

/** IPSET_ATTR_DATA of an entry. */
export const entryData = attributes('IPSET_ATTR', {
  ip: optional(1, address), // IP
  port: optional(4, u16be, netByteOrder), // PORT
  protocol: optional(7, u8), // PROTO
  flags: optional(8, u32be, netByteOrder), // CADT_FLAGS
  line: optional(9, u32), // LINENO
  ip2: optional(20, address), // IP2
  prefixLength2: optional(21, u8), // CIDR2
});

/** An entry in a list of them. */
export const IPSET_ATTR_DATA = 7;

/** IPSET_ATTR_ADT: many entries in one message. */
const entryList = attributes('IPSET_ATTR_ADT', { entries: repeated(IPSET_ATTR_DATA, entryData) });

/** IPSET_ATTR_ADT with one entry in it. */
export const oneEntry = attributes('IPSET_ATTR_ADT', {
  entry: required(IPSET_ATTR_DATA, entryData),
});

/** IPSET_ATTR_DATA of a set. */
export const headerData = attributes('IPSET_ATTR', {
  firstPort: optional(4, u16be, netByteOrder), // PORT_FROM
  lastPort: optional(5, u16be, netByteOrder), // PORT_TO
  timeout: optional(6, u32be, netByteOrder), // TIMEOUT
  flags: optional(8, u32be, netByteOrder), // CADT_FLAGS: counters, comments and the like
  bitmask: optional(12, bytes), // BITMASK
  netmask: optional(20, u8), // NETMASK
  hashSize: optional(18, u32be, netByteOrder), // HASHSIZE
  maxElements: optional(19, u32be, netByteOrder), // MAXELEM
  elements: optional(24, u32be, netByteOrder), // ELEMENTS
  references: optional(25, u32be, netByteOrder), // REFERENCES
});

const protocol = required(1, u8);

/** The version of the protocol. */
export const protocolMessage = attributes('IPSET_ATTR', { protocol });

/** A set by its name. */
export const nameMessage = attributes('IPSET_ATTR', {
  protocol,
  name: required(2, cstring), // SETNAME
});

/** Two sets whose contents are swapped. */
export const swapRequest = attributes('IPSET_ATTR', {
  protocol,
  name: required(2, cstring), // SETNAME
  other: required(3, cstring), // SETNAME2, the number of TYPENAME
});

/** A type of sets, in a family. */
export const typeRequest = attributes('IPSET_ATTR', {
  protocol,
  type: required(3, cstring), // TYPENAME
  family: required(5, u8), // FAMILY
});

/** The revisions that the kernel has of a type. */
export const typeReply = attributes('IPSET_ATTR', {
  revision: required(4, u8), // REVISION: the newest
  oldestRevision: required(10, u8), // REVISION_MIN
});

/** IPSET_CMD_CREATE. */
export const createRequest = attributes('IPSET_ATTR', {
  protocol,
  name: required(2, cstring), // SETNAME
  type: required(3, cstring), // TYPENAME
  revision: required(4, u8), // REVISION
  family: required(5, u8), // FAMILY
  header: required(7, headerData), // DATA
});

/** Which sets to list; all without a name. */
export const listRequest = attributes('IPSET_ATTR', {
  protocol,
  name: optional(2, cstring), // SETNAME
  flags: optional(6, u32be, netByteOrder), // FLAGS
});

const listHeader = {
  name: required(2, cstring), // SETNAME
  type: optional(3, cstring), // TYPENAME
  family: optional(5, u8), // FAMILY
  header: optional(7, headerData), // DATA
};

/** A set, or a further part of its entries, which has no type and header. */
export const listReply = attributes('IPSET_ATTR', {
  ...listHeader,
  list: optional(8, entryList), // ADT
});

/** {@link listReply} with its entries as bytes, as there are hundreds of them. Of several lists the last one counts. */
export const rawListReply = attributes('IPSET_ATTR', { ...listHeader, lists: repeated(8, bytes) });

/** Without IPSET_ATTR_LINENO the kernel does not return the line of the refused entry. */
export const entriesRequest = attributes('IPSET_ATTR', {
  protocol,
  name: required(2, cstring), // SETNAME
  line: required(9, u32), // LINENO
  list: required(8, entryList), // ADT
});

/** The type and family of a set. */
export const headerReply = attributes('IPSET_ATTR', {
  type: required(3, cstring), // TYPENAME
  family: required(5, u8), // FAMILY
});

/** No attribute is read. */
export const nothing = attributes('IPSET_ATTR', {});
