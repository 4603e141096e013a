import type { Family, IpAddress } from '../../ip/address.ts';
import type { Entry } from '../../ipset/ipset.ts';

/**
 * The objects in the kernel that a change touches, or that an audit has just read: what has to be planned.
 * Virtual servers by their key, entries by set name and entry key.
 */
export class Keys {
  readonly virtualServers = new Set<string>();
  readonly addresses = new Set<IpAddress>();
  readonly entries = new Map<string, Map<string, Entry>>();
  /** The families that a change concerned; left empty by an audit, which concerns all. */
  readonly families = new Set<Family>();

  get isEmpty(): boolean {
    return this.virtualServers.size === 0 && this.addresses.size === 0 && this.entries.size === 0;
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
    for (const address of other.addresses) this.addresses.add(address);
    for (const family of other.families) this.families.add(family);
    for (const [set, entries] of other.entries) {
      const mine = this.entries.get(set);
      if (mine === undefined) this.entries.set(set, new Map(entries));
      else for (const [key, entry] of entries) mine.set(key, entry);
    }
  }
}
