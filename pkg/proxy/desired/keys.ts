import type { Family, IpAddress } from '../../ip/address.ts';
import type { Entry } from '../../ipset/ipset.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';
import { RealServerMap } from './real-server-map.ts';

/**
 * The objects in the kernel that a change touches, or that an audit has just read: what has to be planned.
 * Virtual servers by their key, entries by set name and entry key.
 */
export class Keys {
  /** Virtual servers with all their real servers. */
  readonly virtualServers = new Set<string>();
  /** Single real servers of virtual servers. */
  readonly realServers = new Map<string, RealServerMap<RealServerId>>();
  readonly addresses = new Set<IpAddress>();
  readonly entries = new Map<string, Map<string, Entry>>();
  /** The families that a change concerned; left empty by an audit, which concerns all. */
  readonly families = new Set<Family>();

  get isEmpty(): boolean {
    return (
      this.virtualServers.size + this.realServers.size + this.addresses.size + this.entries.size ===
      0
    );
  }

  /** Adds single real servers of a virtual server. */
  addRealServers(virtualServer: string, ids: Iterable<RealServerId>): void {
    const mine = this.realServers.get(virtualServer) ?? new RealServerMap<RealServerId>();
    for (const id of ids) mine.set(id, id);
    this.realServers.set(virtualServer, mine);
  }

  /** Every virtual server of which something is named. */
  *allVirtualServers(): Generator<string> {
    yield* this.virtualServers;
    for (const key of this.realServers.keys()) if (!this.virtualServers.has(key)) yield key;
  }

  /** Adds an entry of a set by its {@link entryKey}. */
  addEntry(set: string, { key, entry }: { key: string; entry: Entry }): void {
    const entries = this.entries.get(set);
    if (entries === undefined) this.entries.set(set, new Map([[key, entry]]));
    else entries.set(key, entry);
  }

  /** Takes over everything that another one has. */
  add(other: Keys): void {
    for (const key of other.virtualServers) this.virtualServers.add(key);
    for (const [key, ids] of other.realServers) this.addRealServers(key, ids.values());
    for (const address of other.addresses) this.addresses.add(address);
    for (const family of other.families) this.families.add(family);
    for (const [set, entries] of other.entries) {
      const mine = this.entries.get(set);
      if (mine === undefined) this.entries.set(set, new Map(entries));
      else for (const [key, entry] of entries) mine.set(key, entry);
    }
  }
}
