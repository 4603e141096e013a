import { type Family, families, familyOf, type IpAddress } from '../../ip/address.ts';
import { type Prefix, prefixFamily } from '../../ip/prefix.ts';
import { type Entry, entryKey } from '../../ipset/ipset.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import type { RejectedLoadBalancer } from './chain-options.ts';
import type { FrontEnd, SetEntry } from './footprint.ts';
import type { Keys } from './keys.ts';
import { EntryOwners, Owners } from './owners.ts';
import type { RuleContent } from './rule-content.ts';
import { type SetId, setIds, setName } from './sets.ts';

/** The set with all bound addresses: each of its entries counts as a claim on its address. */
const boundSet: SetId = 'ipvsIps';

/** The Service that starts or stops to want an object, and the keys that the object is added to. */
export interface Counting {
  readonly by: 1 | -1;
  readonly owner: string;
  readonly touched: Keys;
}

/** Counts who needs addresses and set entries. Each is wanted as long as one front end needs it. */
export class CountedObjects {
  /** Addresses that are wanted, but by no front end with an entry of {@link boundSet}: some that were found in the kernel. */
  readonly #addresses = new Map<IpAddress, Owners>();
  readonly #entries = new Map<string, Map<string, EntryOwners>>();
  readonly #nonEmptySets: Record<Family, ReadonlySet<SetId>> = {
    IPv4: new Set(),
    IPv6: new Set(),
  };
  /** By virtual server key. */
  readonly #closedToNode: Record<Family, Map<string, RejectedLoadBalancer>> = {
    IPv4: new Map(),
    IPv6: new Map(),
  };
  /** By their text. */
  readonly #closedRanges: Record<Family, ReadonlyMap<string, Prefix>> = {
    IPv4: new Map(),
    IPv6: new Map(),
  };
  /** Made at the first call. */
  readonly #contents = new Map<Family, RuleContent>();

  wantsEntry(set: string, key: string): boolean {
    return this.#entries.get(set)?.has(key) ?? false;
  }

  wantsAddress(address: IpAddress): boolean {
    return this.#isMarkedBound(address) || this.#addresses.has(address);
  }

  /** The content that the rules of a family should have. The same object while it is unchanged. */
  ruleContent(family: Family): RuleContent {
    const known = this.#contents.get(family);
    if (known !== undefined) return known;
    const content = {
      nonEmpty: this.#nonEmptySets[family],
      closedToNode: new Map(this.#closedToNode[family]),
      closedRanges: this.#closedRanges[family],
      leavesNat: false,
    };
    this.#contents.set(family, content);
    return content;
  }

  /** Sets the ranges of VIPs in which nothing but Services is to be reached. */
  closeRanges(ranges: ReadonlyMap<string, Prefix>): void {
    const areNone = families.every((family) => this.#closedRanges[family].size === 0);
    if (ranges.size === 0 && areNone) return;
    for (const family of families) {
      const some = [...ranges].filter(([, range]) => prefixFamily(range) === family);
      const known = this.#closedRanges[family];
      if (some.length === known.size && some.every(([text]) => known.has(text))) continue;
      this.#closedRanges[family] = new Map(some);
      this.#contents.delete(family);
    }
  }

  *addresses(): Generator<IpAddress> {
    for (const family of families)
      for (const { entry, bindings } of this.#entries.get(setName(boundSet, family))?.values() ??
        [])
        if (bindings > 0 && entry.type === 'hash:ip') yield entry.ip;
    for (const address of this.#addresses.keys()) if (!this.#isMarkedBound(address)) yield address;
  }

  *entries(set: string): Generator<Entry> {
    for (const { entry } of this.#entries.get(set)?.values() ?? []) yield entry;
  }

  /** How many entries a set should have. */
  entryCount(set: string): number {
    return this.#entries.get(set)?.size ?? 0;
  }

  /** The Services that want any of some addresses and entries. */
  *ownersOf({ addresses, entries }: Pick<Keys, 'addresses' | 'entries'>): Generator<string> {
    for (const address of addresses) {
      yield* this.#addresses.get(address)?.names() ?? [];
      yield* this.#entries
        .get(setName(boundSet, familyOf(address)))
        ?.get(address)
        ?.names() ?? [];
    }
    for (const [set, some] of entries) {
      for (const key of some.keys()) yield* this.#entries.get(set)?.get(key)?.names() ?? [];
    }
  }

  /** Counts everything that a front end needs. */
  countFrontEnd({ virtualServer, isBound, entries }: FrontEnd, counting: Counting): void {
    let isMarked = false;
    entries.forEach((entry) => {
      const owners = this.countEntry(entry, counting);
      if (!isBound || entry.set !== boundSet) return;
      owners.bindings += counting.by;
      isMarked = true;
    });
    if (isBound && isMarked) counting.touched.addAddress(virtualServer.address);
    else if (isBound) this.#countAddress(virtualServer.address, counting);
  }

  /** Counts entries and addresses that belong to no front end. */
  countAll(
    {
      entries,
      addresses,
    }: { readonly entries: readonly SetEntry[]; readonly addresses: readonly IpAddress[] },
    counting: Counting,
  ): void {
    for (const entry of entries) this.countEntry(entry, counting);
    for (const address of addresses) this.#countAddress(address, counting);
  }

  /** Counts an entry. Returns its owners. */
  countEntry({ set: id, family, entry }: SetEntry, counting: Counting): EntryOwners {
    const set = setName(id, family);
    const key = entryKey(entry);
    counting.touched.addEntry(set, { key, entry });
    counting.touched.addFamily(family);
    const entries = this.#entries.get(set) ?? new Map<string, EntryOwners>();
    const known = entries.get(key);
    const owners = known ?? new EntryOwners(entry);
    owners.add(counting.owner, counting.by);
    if (owners.isEmpty) entries.delete(key);
    else if (known === undefined) entries.set(key, owners);
    if (entries.size <= 1) this.#noteSize(set, { entries, family });
    if (id === 'loadBalancerFw' || id === 'loadBalancerSourceIp') this.#noteClosed(entry, family);
    return owners;
  }

  /** A load balancer's address is closed to the node as long as it has source ranges and no entry for the node. */
  #noteClosed(entry: Entry, family: Family): void {
    if (!('ip' in entry) || !('port' in entry)) return;
    const { ip, protocol, port } = entry;
    const place = { ip, protocol, port } as const;
    const wants = (id: SetId, some: Entry) => this.wantsEntry(setName(id, family), entryKey(some));
    const isClosed =
      wants('loadBalancerFw', { type: 'hash:ip,port', ...place }) &&
      !wants('loadBalancerSourceIp', { type: 'hash:ip,port,ip', ...place, ip2: ip });
    const virtualServer = { address: ip, protocol, port };
    const key = virtualServerKey(virtualServer);
    const closed = this.#closedToNode[family];
    if (isClosed === closed.has(key)) return;
    if (isClosed) closed.set(key, virtualServer);
    else closed.delete(key);
    this.#contents.delete(family);
  }

  /** The key of an entry of an address alone is the address. */
  #isMarkedBound(address: IpAddress): boolean {
    const owners = this.#entries.get(setName(boundSet, familyOf(address)))?.get(address);
    return owners !== undefined && owners.bindings > 0;
  }

  #countAddress(address: IpAddress, counting: Counting): void {
    counting.touched.addAddress(address);
    const known = this.#addresses.get(address);
    const owners = known ?? new Owners();
    owners.add(counting.owner, counting.by);
    if (owners.isEmpty) this.#addresses.delete(address);
    else if (known === undefined) this.#addresses.set(address, owners);
  }

  #noteSize(
    set: string,
    { entries, family }: { entries: Map<string, EntryOwners>; family: Family },
  ): void {
    if (entries.size > 0 === this.#entries.has(set)) return;
    if (entries.size > 0) this.#entries.set(set, entries);
    else this.#entries.delete(set);
    const isNonEmpty = (id: SetId) => this.#entries.has(setName(id, family));
    this.#nonEmptySets[family] = new Set(setIds.filter(isNonEmpty));
    this.#contents.delete(family);
  }
}
