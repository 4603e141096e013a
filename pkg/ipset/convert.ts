import { addressBits, familyOf } from '../ip/address.ts';
import { prefix } from '../ip/prefix.ts';
import { protocolFromNumber, protocolNumber } from '../ip/protocol.ts';
import { AF_INET, AF_INET6 } from '../netlink/addresses.ts';
import type { ValueOf } from '../wire/codec.ts';
import { DecodeError } from '../wire/reader.ts';
import type { Entry, HashType, SetHeader, SetStatus } from './ipset.ts';
import { type entryData, type headerData, IPSET_FLAG_NOMATCH, type listReply } from './schema.ts';

type EntryData = ValueOf<typeof entryData>;
type HeaderData = ValueOf<typeof headerData>;

/** The attributes of an entry. */
export function toEntryData(entry: Entry): EntryData {
  switch (entry.type) {
    case 'hash:ip':
      return { ip: entry.ip };
    case 'bitmap:port':
      return { port: entry.port };
    case 'hash:ip,port':
      return { ip: entry.ip, port: entry.port, protocol: protocolNumber(entry.protocol) };
    case 'hash:ip,port,ip': {
      const protocol = protocolNumber(entry.protocol);
      return { ip: entry.ip, port: entry.port, protocol, ip2: entry.ip2 };
    }
    case 'hash:ip,port,net': {
      const { ip, port, net } = entry;
      const protocol = protocolNumber(entry.protocol);
      return { ip, port, protocol, ip2: net.address, prefixLength2: net.length };
    }
  }
}

/** The entry for attributes, or `undefined` if {@link Entry} cannot represent it. Throws DecodeError for invalid ones. */
export function fromEntryData(type: SetHeader['type'], data: EntryData): Entry | undefined {
  const { ip, port, ip2 } = data;
  const protocol = protocolFromNumber(data.protocol ?? 0);
  if (((data.flags ?? 0) & IPSET_FLAG_NOMATCH) !== 0) return undefined;
  if (type === 'bitmap:port') return port === undefined ? undefined : { type, port };
  if (ip === undefined) return undefined;
  if (type === 'hash:ip') return { type, ip };
  if (port === undefined || protocol === undefined) return undefined;
  if (type === 'hash:ip,port') return { type, ip, protocol, port };
  if (ip2 === undefined) return undefined;
  if (type === 'hash:ip,port,ip') return { type, ip, protocol, port, ip2 };
  const bits = addressBits(familyOf(ip2));
  const length = data.prefixLength2 ?? bits;
  if (length > bits) throw new DecodeError(`no prefix length: ${length}`);
  return { type, ip, protocol, port, net: prefix(ip2, length) };
}

/** The attributes of a set to create, and its AF_*; a bitmap has no family. */
export function toHeaderData(header: SetHeader): { family: number; data: HeaderData } {
  if (header.type === 'bitmap:port') {
    const { firstPort, lastPort } = header;
    return { family: 0, data: { firstPort, lastPort } };
  }
  const { hashSize, maxElements, family } = header;
  return { family: family === 'IPv4' ? AF_INET : AF_INET6, data: { hashSize, maxElements } };
}

/** The set of a list reply, or `undefined` if it has no header, as it is a further part of one. */
export function fromListReply(reply: ValueOf<typeof listReply>): SetStatus | undefined {
  const { name, type: typeName, header: data } = reply;
  if (typeName === undefined || data === undefined) return undefined;
  const type = setType(typeName);
  const header: SetStatus['header'] =
    type === undefined
      ? { name, type: 'other', typeName }
      : headerOf(type, name, { data, family: reply.family ?? 0 });
  return {
    header,
    hasExtensions: hasExtensions(data),
    references: data.references ?? 0,
    entryCount: data.elements ?? 0,
  };
}

/** The kernel sends each extension only if the set has it. */
function hasExtensions({ timeout, flags, bitmask, netmask }: HeaderData): boolean {
  return [timeout, flags, bitmask, netmask].some((value) => value !== undefined);
}

/** The type with a name, if it is supported here. */
export function setType(name: string | undefined): SetHeader['type'] | undefined {
  return types.find((type) => type === name);
}

const hashTypes: readonly HashType[] = [
  'hash:ip',
  'hash:ip,port',
  'hash:ip,port,ip',
  'hash:ip,port,net',
];
const types: readonly SetHeader['type'][] = ['bitmap:port', ...hashTypes];

function headerOf(
  type: SetHeader['type'],
  name: string,
  { data, family }: { data: HeaderData; family: number },
): SetHeader {
  if (type === 'bitmap:port') {
    return { name, type, firstPort: data.firstPort ?? 0, lastPort: data.lastPort ?? 0 };
  }
  return {
    name,
    type,
    family: family === AF_INET6 ? 'IPv6' : 'IPv4',
    hashSize: data.hashSize ?? 0,
    maxElements: data.maxElements ?? 0,
  };
}
