import { parseChains, type SavedChains } from '../firewall/saved-rule.ts';
import { type Family, familyOf, type IpAddress, isLoopback } from '../ip/address.ts';
import { canonicalEntries, type Entry, entryKey } from '../ipset/ipset.ts';
import { type RealServer, type VirtualServer, virtualServerKey } from '../ipvs/ipvs.ts';
import type { LinkAddress } from '../links/links.ts';

/** A set of a known type, indexed for look-ups. */
export interface KnownSet {
  readonly type: Entry['type'];
  /** Of its entries; `undefined` while it has none. */
  readonly family: Family | undefined;
  /** As {@link entryKey} makes them. */
  readonly keys: ReadonlySet<string>;
  /** The lengths of the networks in it. */
  readonly prefixLengths: ReadonlySet<number>;
}

/** An ip set: `unreadable` if its type or one of its entries is not understood. */
export type TracedSet = KnownSet | 'unreadable';

/** A virtual server with its real servers. */
export interface TracedServer {
  readonly virtualServer: VirtualServer;
  readonly realServers: readonly RealServer[];
}

/** What of a node's kernel decides over packets. Plain values, made by {@link kernelState}. */
export interface KernelState {
  /** Tables of iptables by name: those that are missing hold no rule. */
  readonly tables: Readonly<Record<Family, ReadonlyMap<string, SavedChains>>>;
  readonly sets: ReadonlyMap<string, TracedSet>;
  /** By {@link virtualServerKey}. */
  readonly servers: ReadonlyMap<string, TracedServer>;
  /** The device of each address, the dummy device's included. */
  readonly addresses: ReadonlyMap<IpAddress, string>;
}

/** What was read of a kernel, from which a state is made: output of programs as text, everything else as values. */
export interface KernelParts {
  /** What `iptables-save` and `ip6tables-save` print. */
  readonly rules: Readonly<Record<Family, string>>;
  readonly sets: ReadonlyMap<string, TracedSet>;
  readonly servers: readonly TracedServer[];
  /** Of every device, both families. */
  readonly addresses: readonly LinkAddress[];
}

/** Makes a state out of what was read; rules that are not understood are kept as such. */
export function kernelState({ rules, sets, servers, addresses }: KernelParts): KernelState {
  return {
    tables: { IPv4: parseChains(rules.IPv4), IPv6: parseChains(rules.IPv6) },
    sets,
    servers: new Map(
      servers.map((server) => [virtualServerKey(server.virtualServer), server] as const),
    ),
    addresses: new Map(addresses.map(({ address, link }) => [address, link] as const)),
  };
}

/** A set of a known type with these entries. */
export function tracedSet(type: Entry['type'], entries: readonly Entry[]): KnownSet {
  const all = entries.flatMap(canonicalEntries);
  const [first] = all;
  return {
    type,
    family: first === undefined || first.type === 'bitmap:port' ? undefined : familyOf(first.ip),
    keys: new Set(all.map(entryKey)),
    prefixLengths: new Set(
      all.flatMap((entry) => (entry.type === 'hash:ip,port,net' ? [entry.net.length] : [])),
    ),
  };
}

/** Whether packets to an address are for the node itself. */
export function isNodeAddress({ addresses }: KernelState, address: IpAddress): boolean {
  return addresses.has(address) || isLoopback(address);
}
