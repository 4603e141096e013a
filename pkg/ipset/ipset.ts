import type { Failure } from '../errno/errno.ts';
import {
  addressBits,
  addressFromBytes,
  type Family,
  type IpAddress,
  unspecified,
} from '../ip/address.ts';
import { type Prefix, prefix, prefixFamily, printPrefix } from '../ip/prefix.ts';
import { type Protocol, protocolLabel } from '../ip/protocol.ts';

/** The hash types in use; entries are explained at {@link Entry}. */
export type HashType = 'hash:ip' | 'hash:ip,port' | 'hash:ip,port,ip' | 'hash:ip,port,net';

/** What a set is created with. */
export type SetHeader =
  | {
      readonly name: string;
      readonly type: HashType;
      readonly family: Family;
      readonly hashSize: number;
      readonly maxElements: number;
    }
  | {
      readonly name: string;
      readonly type: 'bitmap:port';
      readonly firstPort: number;
      readonly lastPort: number;
    };

/** A set of a type that is not known here. */
export interface OtherSetHeader {
  readonly name: string;
  readonly type: 'other';
  /** As ipset calls it: `hash:net`. */
  readonly typeName: string;
}

/** A set as the kernel reports it. */
export interface SetStatus {
  readonly header: SetHeader | OtherSetHeader;
  /** It has timeouts, counters, comments or a netmask: an entry there is not what it is without them. */
  readonly hasExtensions: boolean;
  /** How many rules and sets refer to it. */
  readonly references: number;
  readonly entryCount: number;
}

/** One element. `ip,port` pairs carry the protocol, as ipset has it. */
export type Entry =
  | { readonly type: 'hash:ip'; readonly ip: IpAddress }
  | {
      readonly type: 'hash:ip,port';
      readonly ip: IpAddress;
      readonly protocol: Protocol;
      readonly port: number;
    }
  | {
      readonly type: 'hash:ip,port,ip';
      readonly ip: IpAddress;
      readonly protocol: Protocol;
      readonly port: number;
      readonly ip2: IpAddress;
    }
  | {
      readonly type: 'hash:ip,port,net';
      readonly ip: IpAddress;
      readonly protocol: Protocol;
      readonly port: number;
      readonly net: Prefix;
    }
  | { readonly type: 'bitmap:port'; readonly port: number };

/** One write; deleting what is absent and adding what is present succeed. */
export type EntryWrite = {
  readonly kind: 'addEntry' | 'deleteEntry';
  readonly set: string;
  readonly entry: Entry;
};

/** The kernel's IP sets in this network namespace. */
export interface IpSets {
  /** IPSET_CMD_PROTOCOL: the highest protocol version the kernel speaks. Throws where ipset is missing. */
  protocol(): number;
  /**
   * Makes the set, or finds one with the same type, family and sizes but hashSize; EEXIST if it differs otherwise,
   * EINVAL for a name of no or of more than 31 bytes, EOPNOTSUPP if the kernel has no such type.
   */
  create(header: SetHeader): void;
  /** EBUSY while rules refer to it; ENOENT if there is none. */
  destroy(name: string): void;
  /**
   * Exchanges the names of two sets: rules that match on a name see the other's entries from then on, with nothing in between.
   * ENOENT if one is missing, EINVAL if they differ in family or in what their entries consist of, EBUSY while somebody lists one.
   */
  swap(one: string, other: string): void;
  /**
   * Tries every write, order kept within a set; the failed ones by index, in that order. ENOENT: no such set. ENOSPC: the
   * set is full. ERANGE: no port, or one outside a bitmap's range. EINVAL: the entry is of another family than the set, or the
   * type cannot hold it: a network of length 0 (see {@link canonicalEntries}), the unspecified address in `hash:ip`.
   * An entry's type must be its set's: the kernel does not always notice.
   */
  write(batch: readonly EntryWrite[]): readonly Failure[];
  /** Every set, ours or not. */
  sets(): Promise<readonly SetStatus[]>;
  /**
   * The entries of a set; throws ENOENT if there is none. Left out is what is no {@link Entry}: other protocols, and
   * exceptions (`nomatch`), whose place an added entry takes.
   */
  entries(name: string): Promise<readonly Entry[]>;
}

/**
 * The entries that stand for one in the kernel: networks without host bits, and where the type refuses a network of
 * length 0, its two halves.
 */
export function canonicalEntries(entry: Entry): readonly Entry[] {
  if (entry.type !== 'hash:ip,port,net') return [entry];
  const { address, length } = entry.net;
  if (length > 0) return [{ ...entry, net: prefix(address, length) }];
  const family = prefixFamily(entry.net);
  const upper = new Uint8Array(addressBits(family) / 8);
  upper[0] = 0x80;
  return [unspecified(family), addressFromBytes(upper)].map((half) => ({
    ...entry,
    net: prefix(half, 1),
  }));
}

/** Why a text cannot be the name of a set (IPSET_MAXNAMELEN, with its zero byte), or `undefined` if it can. */
export function setNameProblem(name: string): string | undefined {
  const length = new TextEncoder().encode(name).length;
  if (length === 0 || length > 31) return `a name has 1 to 31 bytes, this one ${length}`;
  return name.includes('\0') ? 'a name has no zero byte' : undefined;
}

/** Whether a set is what `create` with this header would find: the same type, family and sizes but hashSize, and no extensions. */
export function isSetLike({ header, hasExtensions }: SetStatus, wanted: SetHeader): boolean {
  if (hasExtensions) return false;
  if (header.type === 'bitmap:port' || wanted.type === 'bitmap:port')
    return printSetHeader(header) === printSetHeader(wanted);
  return (
    header.type === wanted.type &&
    header.family === wanted.family &&
    header.maxElements === wanted.maxElements
  );
}

/** A set's type as ipset calls it: `hash:ip,port`. */
export function setTypeName(header: SetHeader | OtherSetHeader): string {
  return header.type === 'other' ? header.typeName : header.type;
}

/** `hash:ip family inet hashsize 1024 maxelem 65536`: what follows the name in `ipset create`. */
export function printSetHeader(header: SetHeader | OtherSetHeader): string {
  if (header.type === 'other') return header.typeName;
  if (header.type === 'bitmap:port')
    return `bitmap:port range ${header.firstPort}-${header.lastPort}`;
  const family = header.family === 'IPv4' ? 'inet' : 'inet6';
  return `${header.type} family ${family} hashsize ${header.hashSize} maxelem ${header.maxElements}`;
}

/** `add 10.96.0.1,tcp:443 to set KUBE-CLUSTER-IP`: how errors and logs call a write. */
export function printEntryWrite({ kind, set, entry }: EntryWrite): string {
  return kind === 'addEntry'
    ? `add ${entryKey(entry)} to set ${set}`
    : `delete ${entryKey(entry)} from set ${set}`;
}

/** An entry of an address, protocol and port. */
export type IpPortEntry = Extract<Entry, { type: 'hash:ip,port' }>;

/**
 * An entry with its map key, made when it is asked for first: wherever this very object is passed on, {@link entryKey} makes no text
 * again. The key is no property, so that a copy with another address does not inherit it.
 */
class KeyedEntry implements IpPortEntry {
  readonly type = 'hash:ip,port';
  readonly ip: IpAddress;
  readonly protocol: Protocol;
  readonly port: number;
  #key: string | undefined;

  constructor({ ip, protocol, port }: Omit<IpPortEntry, 'type'>) {
    this.ip = ip;
    this.protocol = protocol;
    this.port = port;
  }

  static keyOf(entry: IpPortEntry): string {
    if (!(#key in entry)) return textOf(entry);
    entry.#key ??= textOf(entry);
    return entry.#key;
  }
}

/** An entry whose key is made once. */
export function ipPortEntry(entry: Omit<IpPortEntry, 'type'>): IpPortEntry {
  return new KeyedEntry(entry);
}

/** A map key for an entry inside its set: how `ipset save` prints it, which is one text for each element. */
export function entryKey(entry: Entry): string {
  switch (entry.type) {
    case 'hash:ip':
      return entry.ip;
    case 'hash:ip,port':
      return KeyedEntry.keyOf(entry);
    case 'hash:ip,port,ip':
      return `${textOf(entry)},${entry.ip2}`;
    case 'hash:ip,port,net':
      return `${textOf(entry)},${printNet(entry.net)}`;
    case 'bitmap:port':
      return String(entry.port);
  }
}

/** The address, protocol and port. Joined, for a text that is put together by `+` keeps its parts in memory. */
function textOf({ ip, protocol, port }: Omit<IpPortEntry, 'type'>): string {
  return [ip, ',', protocolLabel(protocol), ':', port].join('');
}

/** ipset leaves the length of a single-address network away. */
function printNet(net: Prefix): string {
  const isWhole = net.length === (net.address.includes(':') ? 128 : 32);
  return isWhole ? net.address : printPrefix(net);
}
