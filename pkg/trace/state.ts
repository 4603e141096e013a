import { parseChains, type SavedChains } from '../firewall/saved-rule.ts';
import { type Family, familyOf, type IpAddress, isLoopback } from '../ip/address.ts';
import { canonicalEntries, type Entry, entryKey } from '../ipset/ipset.ts';
import { type RealServer, type VirtualServer, virtualServerKey } from '../ipvs/ipvs.ts';
import type { LinkAddress } from '../links/links.ts';

/** A set of a supported type, indexed for lookups. */
export interface KnownSet {
  readonly type: Entry['type'];
  /** The family of its entries; `undefined` if it has none. */
  readonly family: Family | undefined;
  /** By {@link entryKey}. */
  readonly keys: Pick<ReadonlySet<string>, 'has' | 'size'>;
  /** The lengths that its networks may have. */
  readonly prefixLengths: ReadonlySet<number>;
}

/** An ip set; `unreadable` if its type or one of its entries is not supported. */
export type TracedSet = KnownSet | 'unreadable';

/** A virtual server with its real servers. */
export interface TracedVirtualServer {
  readonly virtualServer: VirtualServer;
  readonly realServers: readonly RealServer[];
}

/** The part of a kernel's state that decides about packets, as values. Made by {@link kernelState}. */
export interface KernelState {
  /** iptables' tables by name, of each packet filter that has some: a packet passes all. A missing table has no rules. */
  readonly tables: Readonly<Record<Family, readonly SavedTables[]>>;
  readonly sets: ReadonlyMap<string, TracedSet>;
  /** By {@link virtualServerKey}. */
  readonly virtualServers: ReadonlyMap<string, TracedVirtualServer>;
  /** The device of each address, the dummy device's included. */
  readonly addresses: AddressTable;
  /** The devices by which packets to other addresses leave, as far as the routes to them are known. */
  readonly outputs: ReadonlyMap<IpAddress, string>;
}

/** A state whose addresses can be listed. */
export interface ListedState extends KernelState {
  readonly addresses: ReadonlyMap<IpAddress, string>;
}

/** The device of each address of a node. */
export type AddressTable = Pick<ReadonlyMap<IpAddress, string>, 'get' | 'has'>;

/** The tables of one packet filter, by name. */
export type SavedTables = ReadonlyMap<string, SavedChains>;

/** The data that a state is made from. */
export interface KernelParts {
  /** The output of `iptables-save` and `ip6tables-save`, of each flavour that holds rules. */
  readonly rules: Readonly<Record<Family, readonly string[]>>;
  readonly sets: ReadonlyMap<string, TracedSet>;
  readonly virtualServers: readonly TracedVirtualServer[];
  /** Of all devices and both families. */
  readonly addresses: readonly LinkAddress[];
  readonly outputs?: KernelState['outputs'];
}

/** Makes a state. Rules that cannot be parsed are kept as text. */
export function kernelState(parts: KernelParts): ListedState {
  const { rules, sets, virtualServers, addresses, outputs = new Map() } = parts;
  return {
    tables: { IPv4: rules.IPv4.map(parseChains), IPv6: rules.IPv6.map(parseChains) },
    outputs,
    sets,
    virtualServers: new Map(
      virtualServers.map((traced) => [virtualServerKey(traced.virtualServer), traced] as const),
    ),
    addresses: new Map(addresses.map(({ address, link }) => [address, link] as const)),
  };
}

/** A set of a supported type with these entries. */
export function tracedSet(type: Entry['type'], entries: readonly Entry[]): KnownSet {
  const index = new SetIndex(type);
  for (const entry of entries) index.add(entry);
  return index;
}

/** A set of a supported type that is filled entry by entry. */
export class SetIndex implements KnownSet {
  readonly type: Entry['type'];
  family: Family | undefined;
  readonly keys = new Set<string>();
  readonly prefixLengths = new Set<number>();

  constructor(type: Entry['type']) {
    this.type = type;
  }

  add(added: Entry): void {
    for (const entry of canonicalEntries(added)) {
      this.keys.add(entryKey(entry));
      if (entry.type !== 'bitmap:port') this.family ??= familyOf(entry.ip);
      if (entry.type === 'hash:ip,port,net') this.prefixLengths.add(entry.net.length);
    }
  }
}

/** Whether packets to an address are delivered on the node. */
export function isNodeAddress({ addresses }: KernelState, address: IpAddress): boolean {
  return addresses.has(address) || isLoopback(address);
}
