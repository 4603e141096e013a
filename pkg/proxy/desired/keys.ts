import type { Family, IpAddress } from '../../ip/address.ts';
import type { Entry } from '../../ipset/ipset.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';
import { type ReadonlyRealServerMap, RealServerMap } from './real-server-map.ts';

type Entries = Map<string, Map<string, Entry>>;

/**
 * The keys of kernel objects that have to be planned, because a change touches them or an audit has just read them.
 * Virtual servers by their key, entries by set name and entry key. Most have none of most kinds, and take no memory for them.
 */
export class Keys {
  #virtualServers: Set<string> | undefined;
  #realServers: Map<string, RealServerMap<RealServerId>> | undefined;
  #addresses: Set<IpAddress> | undefined;
  #ranges: Set<string> | undefined;
  #entries: Entries | undefined;
  #families: Set<Family> | undefined;

  /** Virtual servers with all their real servers. */
  get virtualServers(): ReadonlySet<string> {
    return this.#virtualServers ?? noneOfSet;
  }

  /** Single real servers of virtual servers. */
  get realServers(): ReadonlyMap<string, ReadonlyRealServerMap<RealServerId>> {
    return this.#realServers ?? noneOfMap;
  }

  get addresses(): ReadonlySet<IpAddress> {
    return this.#addresses ?? noneOfSet;
  }

  /** Ranges of VIPs, by their text: `172.30.0.0/16`. */
  get ranges(): ReadonlySet<string> {
    return this.#ranges ?? noneOfSet;
  }

  get entries(): ReadonlyMap<string, ReadonlyMap<string, Entry>> {
    return this.#entries ?? noneOfMap;
  }

  /** The families that a change concerned; none for an audit, which concerns all. */
  get families(): ReadonlySet<Family> {
    return this.#families ?? noneOfSet;
  }

  get isEmpty(): boolean {
    const { virtualServers, realServers, addresses, ranges, entries } = this;
    const others = addresses.size + ranges.size + entries.size;
    return virtualServers.size + realServers.size + others === 0;
  }

  /** How many virtual servers, addresses, ranges and set entries there are. The single real servers of a virtual server count as one. */
  get size(): number {
    const { virtualServers, realServers, addresses, ranges } = this;
    let entries = 0;
    this.entries.forEach((some) => {
      entries += some.size;
    });
    return virtualServers.size + realServers.size + addresses.size + ranges.size + entries;
  }

  addVirtualServer(key: string): void {
    this.#virtualServers = (this.#virtualServers ?? new Set()).add(key);
  }

  /** Adds single real servers of a virtual server. */
  addRealServers(virtualServer: string, ids: Iterable<RealServerId>): void {
    this.#realServers ??= new Map();
    const mine = this.#realServers.get(virtualServer) ?? new RealServerMap<RealServerId>();
    for (const id of ids) mine.set(id, id);
    this.#realServers.set(virtualServer, mine);
  }

  /** Removes a virtual server, and the single real servers of it. */
  deleteVirtualServer(key: string): void {
    this.#virtualServers?.delete(key);
    this.#realServers?.delete(key);
  }

  addAddress(address: IpAddress): void {
    this.#addresses = (this.#addresses ?? new Set()).add(address);
  }

  addRange(text: string): void {
    this.#ranges = (this.#ranges ?? new Set()).add(text);
  }

  addFamily(family: Family): void {
    this.#families = (this.#families ?? new Set()).add(family);
  }

  /** Every virtual server that is named, or of which single real servers are. */
  allVirtualServers(): readonly string[] {
    const { virtualServers, realServers } = this;
    const whole = virtualServers.size === 0 ? none : [...virtualServers];
    if (realServers.size === 0) return whole;
    const others = [...realServers.keys()];
    if (whole.length === 0) return others;
    return [...whole, ...others.filter((key) => !virtualServers.has(key))];
  }

  /** Adds an entry of a set by its {@link entryKey}. */
  addEntry(set: string, { key, entry }: { key: string; entry: Entry }): void {
    this.#entries ??= new Map();
    const entries = this.#entries.get(set);
    if (entries === undefined) this.#entries.set(set, new Map([[key, entry]]));
    else entries.set(key, entry);
  }

  /** Adds everything that another one has. */
  add(other: Keys): void {
    if (other.#virtualServers !== undefined)
      for (const key of other.#virtualServers) this.addVirtualServer(key);
    if (other.#realServers !== undefined)
      for (const [key, ids] of other.#realServers) this.addRealServers(key, ids.values());
    if (other.#addresses !== undefined)
      for (const address of other.#addresses) this.addAddress(address);
    if (other.#ranges !== undefined) for (const range of other.#ranges) this.addRange(range);
    if (other.#families !== undefined) for (const family of other.#families) this.addFamily(family);
    if (other.#entries !== undefined) this.#addEntries(other.#entries);
  }

  /**
   * Takes over everything that another one has, which must not be used any more: nothing is copied of what this one has none of, as
   * tens of thousands of keys take long.
   */
  take(other: Keys): void {
    this.#virtualServers = united(this.#virtualServers, other.#virtualServers);
    this.#addresses = united(this.#addresses, other.#addresses);
    this.#ranges = united(this.#ranges, other.#ranges);
    this.#families = united(this.#families, other.#families);
    for (const [key, ids] of other.realServers) this.addRealServers(key, ids.values());
    if (other.#entries === undefined) return;
    this.#entries ??= new Map();
    for (const [set, entries] of other.#entries) {
      const mine = this.#entries.get(set);
      if (mine === undefined) this.#entries.set(set, entries);
      else for (const [key, entry] of entries) mine.set(key, entry);
    }
  }

  #addEntries(others: Entries): void {
    this.#entries ??= new Map();
    for (const [set, entries] of others) {
      const mine = this.#entries.get(set);
      if (mine === undefined) this.#entries.set(set, new Map(entries));
      else for (const [key, entry] of entries) mine.set(key, entry);
    }
  }
}

/** One of two sets with what both have. */
function united<T>(mine: Set<T> | undefined, others: Set<T> | undefined): Set<T> | undefined {
  if (mine === undefined) return others;
  others?.forEach((one) => mine.add(one));
  return mine;
}

/** Ignores all keys, for changes after which everything is planned. */
export class DiscardedKeys extends Keys {
  override addVirtualServer(): void {}
  override addRealServers(): void {}
  override addAddress(): void {}
  override addRange(): void {}
  override addFamily(): void {}
  override addEntry(): void {}
}

const none: readonly never[] = Object.freeze([]);
const noneOfSet: ReadonlySet<never> = new Set();
const noneOfMap: ReadonlyMap<never, never> = new Map<never, never>();
