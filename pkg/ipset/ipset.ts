import type { Failure } from '../errno/errno.ts';
import { isNotFound } from '../errno/errno.ts';
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

/** A set of a type that is not supported here. */
export interface OtherSetHeader {
  readonly name: string;
  readonly type: 'other';
  /** ipset's name of the type: `hash:net`. */
  readonly typeName: string;
}

/** A set as the kernel reports it. */
export interface SetStatus {
  readonly header: SetHeader | OtherSetHeader;
  /** Whether it has timeouts, counters, comments or a netmask, which change the meaning of its entries. */
  readonly hasExtensions: boolean;
  /** How many rules and sets refer to it. */
  readonly references: number;
  readonly entryCount: number;
}

/** One element of a set. In `ip,port` types the protocol is part of the port, as in ipset. */
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

/** One write. Deleting a missing entry and adding a present one succeed. */
export type EntryWrite = {
  readonly kind: 'addEntry' | 'deleteEntry';
  readonly set: string;
  readonly entry: Entry;
};

/** The kernel's IP sets in this network namespace. */
export interface IpSets {
  /** IPSET_CMD_PROTOCOL: the highest protocol version of the kernel. Throws if ipset is missing. */
  protocol(): number;
  /**
   * Creates a set, or succeeds if there is one with the same type, family and sizes except hashSize. Throws EEXIST if it differs,
   * EINVAL for an empty name or one of more than 31 bytes, EOPNOTSUPP if the kernel has no such type.
   */
  create(header: SetHeader): void;
  /** Throws EBUSY while rules refer to it, ENOENT if there is none. */
  destroy(name: string): void;
  /**
   * Exchanges the names of two sets atomically: rules match on the other set from then on. Throws ENOENT if one is missing, EINVAL
   * if they differ in family or in the parts of their entries, EBUSY while one is being listed.
   */
  swap(one: string, other: string): void;
  /**
   * Tries every write, in order within a set, and returns the failures in order of their index. ENOENT: there is no such set.
   * ENOSPC: the set is full. ERANGE: the port is invalid or outside a bitmap's range. EINVAL: the entry is of another family than
   * the set, or the type cannot hold it: a network of length 0 (see {@link canonicalEntries}), the unspecified address in
   * `hash:ip`. An entry's type must be its set's: the kernel does not always notice.
   */
  write(batch: readonly EntryWrite[]): readonly Failure[];
  /** All sets, also of other programs. */
  sets(): Promise<readonly SetStatus[]>;
  /**
   * The entries of a set. Throws ENOENT if there is none. Leaves out what {@link Entry} cannot represent: other protocols, and
   * exceptions (`nomatch`), which an added entry replaces.
   */
  entries(name: string): Promise<readonly Entry[]>;
}

/** The entries that the kernel holds for one: networks without host bits, and two halves if the type refuses a network of length 0. */
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

/** Why a text cannot be the name of a set (IPSET_MAXNAMELEN includes its zero byte); `undefined` if it can. */
export function setNameProblem(name: string): string | undefined {
  const length = new TextEncoder().encode(name).length;
  if (length === 0 || length > 31) return `a name has 1 to 31 bytes, this one ${length}`;
  return name.includes('\0') ? 'a name has no zero byte' : undefined;
}

/** Whether `create` with this header would accept a set: the same type, family and sizes except hashSize, and no extensions. */
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

/** A write for errors and logs: `add 10.96.0.1,tcp:443 to set KUBE-CLUSTER-IP`. */
export function printEntryWrite({ kind, set, entry }: EntryWrite): string {
  return kind === 'addEntry'
    ? `add ${entryKey(entry)} to set ${set}`
    : `delete ${entryKey(entry)} from set ${set}`;
}

/** An entry of an address, protocol and port. */
export type IpPortEntry = Extract<Entry, { type: 'hash:ip,port' }>;

/**
 * An entry whose map key is made at its first use: {@link entryKey} makes no text again for this object. The key is no property, so
 * that a copy with another address does not inherit it.
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

/** An entry whose key is made only once. */
export function ipPortEntry(entry: Omit<IpPortEntry, 'type'>): IpPortEntry {
  return new KeyedEntry(entry);
}

/** A map key for an entry within its set: its text in `ipset save`, which is unique. */
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

/** The address, protocol and port. Joined, as a text made by `+` keeps its parts in memory. */
function textOf({ ip, protocol, port }: Omit<IpPortEntry, 'type'>): string {
  return [ip, ',', protocolLabel(protocol), ':', port].join('');
}

/** ipset omits the length of a network of one address. */
function printNet(net: Prefix): string {
  const isWhole = net.length === (net.address.includes(':') ? 128 : 32);
  return isWhole ? net.address : printPrefix(net);
}

/** A set with its entries, as they were at one time. */
export interface WholeSet {
  readonly status: SetStatus;
  /** Not as many as the status says where {@link Entry} cannot represent some. */
  readonly entries: readonly Entry[];
}

/** How often a set is read whose entries are not as many as its status says. */
const attempts = 4;

/**
 * Reads the entries of a set that was listed; `undefined` if it is gone. Status and entries are read one after the other, so a set that
 * changes in between is read again. Throws KernelError.
 */
export async function readWholeSet(
  ipsets: Pick<IpSets, 'sets' | 'entries'>,
  listed: SetStatus,
): Promise<WholeSet | undefined> {
  const { name } = listed.header;
  let status: SetStatus | undefined = listed;
  for (let attempt = 1; status !== undefined; attempt++) {
    const entries = await entriesIfThere(ipsets, name);
    const isLast = attempt === attempts;
    if (entries !== undefined && (isLast || entries.length === status.entryCount))
      return { status, entries };
    if (isLast) return undefined;
    status = (await ipsets.sets()).find(({ header }) => header.name === name);
  }
  return undefined;
}

/** The entries of a set; `undefined` if another program has destroyed it meanwhile. Throws KernelError. */
export async function entriesIfThere(
  ipsets: Pick<IpSets, 'entries'>,
  name: string,
): Promise<readonly Entry[] | undefined> {
  try {
    return await ipsets.entries(name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
