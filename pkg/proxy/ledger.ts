import { type Family, familyOf, type IpAddress } from '../ip/address.ts';
import { type Entry, entryKey } from '../ipset/ipset.ts';
import {
  type RealServerId,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import type { Footprint, FrontEnd, LocalLack, SetEntry, WantedRealServer } from './footprint.ts';
import { Keys } from './keys.ts';
import { isDenying, type SetId, setIds, setName } from './sets.ts';

/** A Service as an owner: the older one wins, then the one whose key sorts first. */
export interface Owner {
  /** `namespace/name`. */
  readonly key: string;
  /** Milliseconds since 1970, 0 if unknown. */
  readonly created: number;
}

/** A virtual server that is wanted, and by whom; `undefined` for one on its way out, which keeps no real servers. */
export interface Claim {
  readonly owner: Owner | undefined;
  readonly frontEnd: FrontEnd;
}

/** Two Services want one virtual server. */
export interface Conflict {
  readonly server: string;
  readonly winner: string;
  readonly loser: string;
}

/**
 * The sum of all footprints. Addresses and set entries may have many owners and are counted; a virtual server
 * has one. A front end that nobody wants any more stays as *retired*, with its entries and address but without real
 * servers, until {@link release}: its clients must be told before it goes (`design.md` section 2). From then on it is
 * *leaving*: what the kernel recognises its virtual server by stays until {@link forget}, when the kernel is known to have
 * deleted the virtual server.
 */
export class Ledger {
  readonly #footprints = new Map<string, { owner: Owner; footprint: Footprint }>();
  readonly #claims = new Map<string, Claim[]>();
  readonly #retired = new Map<string, FrontEnd>();
  /** Front ends whose virtual server is being deleted, each with what of it is still counted. */
  readonly #leaving = new Map<string, FrontEnd>();
  /** Who had a retired front end last; none that was found in the kernel. */
  readonly #lastOwners = new Map<string, Owner>();
  /** Who wants an address bound, once for each front end. */
  readonly #addresses = new Map<IpAddress, readonly string[]>();
  readonly #entries = new Map<string, Map<string, WantedEntry>>();
  readonly #withoutLocal: Record<LocalLack, number> = {
    'internal IPv4': 0,
    'internal IPv6': 0,
    'external IPv4': 0,
    'external IPv6': 0,
  };
  #claimCount = 0;

  /** Puts a Service's footprint in the place of its last one, or takes it away. What that touches, added to `touched`. */
  set(owner: Owner, footprint: Footprint | undefined, { touched = new Keys() } = {}): Keys {
    const last = this.#footprints.get(owner.key);
    if (footprint === undefined) this.#footprints.delete(owner.key);
    else this.#footprints.set(owner.key, { owner, footprint });
    this.#countWithoutLocal(footprint, 1);
    this.#countWithoutLocal(last?.footprint, -1);
    for (const frontEnd of footprint?.frontEnds ?? []) this.#enter(owner, { frontEnd, touched });
    const counting = { by: 1, owner: owner.key, touched } as const;
    for (const entry of footprint?.hairpins ?? []) this.#count(entry, counting);
    if (last !== undefined) this.#withdraw(last, touched);
    return touched;
  }

  /** Keeps a virtual server as retired that was found in the kernel and that nobody wants. */
  retire(frontEnd: FrontEnd): Keys {
    const touched = new Keys();
    const key = virtualServerKey(frontEnd.server);
    if (!this.wants(key) && !this.#leaving.has(key)) this.#retire(frontEnd, touched);
    return touched;
  }

  /**
   * Gives up a retired front end: its virtual server is to be deleted. Of a bound one the entries that allow go first; all else
   * stays until {@link forget}. Nothing happens if it is not retired any more.
   */
  release(key: string): Keys {
    const touched = new Keys();
    const frontEnd = this.#retired.get(key);
    if (frontEnd === undefined) return touched;
    this.#retired.delete(key);
    touched.servers.add(key);
    touched.families.add(familyOf(frontEnd.server.address));
    const stays = ({ set }: SetEntry) => !frontEnd.isBound || isDenying(set);
    const counting = { by: -1, owner: nobody, touched } as const;
    for (const entry of frontEnd.entries) if (!stays(entry)) this.#count(entry, counting);
    this.#leaving.set(key, { ...frontEnd, entries: frontEnd.entries.filter(stays) });
    return touched;
  }

  /** Gives up what was kept of a leaving front end: the kernel no longer has its virtual server. */
  forget(key: string): Keys {
    const touched = new Keys();
    const frontEnd = this.#leaving.get(key);
    if (frontEnd === undefined) return touched;
    this.#leaving.delete(key);
    this.#lastOwners.delete(key);
    this.#countFrontEnd(frontEnd, { by: -1, owner: nobody, touched });
    return touched;
  }

  /** Who holds a virtual server, or `undefined` if nobody wants it, not even as retired. */
  claim(key: string): Claim | undefined {
    const first = this.#claims.get(key)?.[0];
    if (first !== undefined) return first;
    const frontEnd = this.#retired.get(key);
    return frontEnd === undefined ? undefined : { owner: undefined, frontEnd };
  }

  /** Who holds a virtual server or, if it is retired, held it last; `undefined` if that is not known. */
  lastOwner(key: string): Owner | undefined {
    return this.claim(key)?.owner ?? this.#lastOwners.get(key);
  }

  /** Whether a Service wants a virtual server. */
  wants(key: string): boolean {
    return this.#claims.has(key);
  }

  /** What a virtual server should have at the place of a real server, each by its key; `undefined` for nothing. */
  wantedRealServer(server: string, realServer: string): WantedRealServer | undefined {
    return this.claim(server)?.frontEnd.realServers.get(realServer);
  }

  /** Whether a real server is wanted, and for the same pod as far as both are known. */
  wantsRealServer(server: VirtualServerId, { backend, podUid }: PodsBackend): boolean {
    const wanted = this.#wantedAt(server, backend);
    return wanted !== undefined && isSamePod(podUid, wanted.podUid);
  }

  /** Whether another pod's real server is wanted in the place of one. */
  wantsSuccessor(server: VirtualServerId, { backend, podUid }: PodsBackend): boolean {
    const wanted = this.#wantedAt(server, backend);
    return wanted !== undefined && !isSamePod(podUid, wanted.podUid);
  }

  wantsEntry(set: string, key: string): boolean {
    return this.#entries.get(set)?.has(key) ?? false;
  }

  wantsAddress(address: IpAddress): boolean {
    return this.#addresses.has(address);
  }

  /** The sets of a family that should have entries. */
  nonEmptySets(family: Family): ReadonlySet<SetId> {
    return new Set(setIds.filter((id) => this.#entries.has(setName(id, family))));
  }

  /** The keys of all virtual servers that are wanted, retired ones included. */
  *servers(): Generator<string> {
    yield* this.#claims.keys();
    yield* this.#retired.keys();
  }

  /** All addresses that should be bound. */
  addresses(): Iterable<IpAddress> {
    return this.#addresses.keys();
  }

  /** All entries that a set should have. */
  *entries(set: string): Generator<Entry> {
    for (const { entry } of this.#entries.get(set)?.values() ?? []) yield entry;
  }

  /** The retired front ends, by key. */
  retired(): ReadonlyMap<string, FrontEnd> {
    return this.#retired;
  }

  /** The front ends whose virtual servers are being deleted, by key. */
  leaving(): ReadonlyMap<string, FrontEnd> {
    return this.#leaving;
  }

  /** The virtual servers that a Service and another one want: those that it holds, and those that it does not get. */
  conflictsOf(owner: Owner): readonly Conflict[] {
    const frontEnds = this.#footprints.get(owner.key)?.footprint.frontEnds ?? [];
    return frontEnds.flatMap((frontEnd) => {
      const server = virtualServerKey(frontEnd.server);
      const [winner = '', ...losers] = (this.#claims.get(server) ?? []).map(keyOfOwner);
      const concerned = winner === owner.key ? losers : [owner.key];
      return losers.length === 0 ? [] : concerned.map((loser) => ({ server, winner, loser }));
    });
  }

  /** How many claims lost against another Service's. */
  conflictCount(): number {
    return this.#claimCount - this.#claims.size;
  }

  /** How many Services find no local endpoint for a traffic policy that asks for one. */
  withoutLocalEndpoints(): Readonly<Record<LocalLack, number>> {
    return { ...this.#withoutLocal };
  }

  /** The Services that want any of some objects of the kernel; of a virtual server the one that holds it. */
  ownersOf({ servers, addresses, entries }: Keys): ReadonlySet<string> {
    const owners = new Set<string>();
    for (const key of servers) owners.add(this.claim(key)?.owner?.key ?? nobody);
    for (const address of addresses)
      for (const owner of this.#addresses.get(address) ?? []) owners.add(owner);
    for (const [set, some] of entries) {
      for (const key of some.keys())
        for (const owner of this.#entries.get(set)?.get(key)?.owners ?? []) owners.add(owner);
    }
    owners.delete(nobody);
    return owners;
  }

  #wantedAt(server: VirtualServerId, backend: RealServerId): WantedRealServer | undefined {
    return this.wantedRealServer(virtualServerKey(server), realServerKey(backend));
  }

  #enter(owner: Owner, { frontEnd, touched }: { frontEnd: FrontEnd; touched: Keys }): void {
    const key = virtualServerKey(frontEnd.server);
    const others = (this.#claims.get(key) ?? []).filter((claim) => claim.owner?.key !== owner.key);
    this.#setClaims(key, [...others, { owner, frontEnd }].sort(byPriority));
    this.#countFrontEnd(frontEnd, { by: 1, owner: owner.key, touched });
    touched.add(this.release(key));
    touched.add(this.forget(key));
  }

  #withdraw({ owner, footprint }: { owner: Owner; footprint: Footprint }, touched: Keys): void {
    const counting = { by: -1, owner: owner.key, touched } as const;
    for (const frontEnd of footprint.frontEnds) {
      const key = virtualServerKey(frontEnd.server);
      const left = (this.#claims.get(key) ?? []).filter((claim) => claim.frontEnd !== frontEnd);
      this.#setClaims(key, left);
      if (left.length === 0) {
        this.#retire(frontEnd, touched);
        this.#lastOwners.set(key, owner);
      }
      this.#countFrontEnd(frontEnd, counting);
    }
    for (const entry of footprint.hairpins) this.#count(entry, counting);
  }

  #setClaims(key: string, claims: Claim[]): void {
    this.#claimCount += claims.length - (this.#claims.get(key)?.length ?? 0);
    if (claims.length > 0) this.#claims.set(key, claims);
    else this.#claims.delete(key);
  }

  #countWithoutLocal(footprint: Footprint | undefined, by: 1 | -1): void {
    for (const lack of footprint?.withoutLocalEndpoints ?? []) this.#withoutLocal[lack] += by;
  }

  #retire(frontEnd: FrontEnd, touched: Keys): void {
    const key = virtualServerKey(frontEnd.server);
    if (this.#retired.has(key)) return;
    const retired = { ...frontEnd, realServers: noRealServers };
    this.#retired.set(key, retired);
    this.#countFrontEnd(retired, { by: 1, owner: nobody, touched });
  }

  #countFrontEnd({ server, isBound, entries }: FrontEnd, counting: Counting): void {
    const { touched } = counting;
    touched.servers.add(virtualServerKey(server));
    touched.families.add(familyOf(server.address));
    for (const entry of entries) this.#count(entry, counting);
    if (!isBound) return;
    touched.addresses.add(server.address);
    const owners = counted(this.#addresses.get(server.address) ?? [], counting);
    if (owners.length > 0) this.#addresses.set(server.address, owners);
    else this.#addresses.delete(server.address);
  }

  #count({ set: id, family, entry }: SetEntry, counting: Counting): void {
    const set = setName(id, family);
    counting.touched.addEntry(set, entry);
    const entries = this.#entries.get(set) ?? new Map<string, WantedEntry>();
    const key = entryKey(entry);
    const owners = counted(entries.get(key)?.owners ?? [], counting);
    if (owners.length > 0) this.#entries.set(set, entries.set(key, { entry, owners }));
    else if (entries.delete(key) && entries.size === 0) this.#entries.delete(set);
  }
}

/** What a front end has that takes no new connections. */
const noRealServers: ReadonlyMap<string, WantedRealServer> = new Map();

/** A real server, and whose it is as far as is known. */
interface PodsBackend {
  readonly backend: RealServerId;
  readonly podUid: string | undefined;
}

/** Whether two real servers on one address are the same pod's, as far as is known. */
export function isSamePod(podUid: string | undefined, other: string): boolean {
  return podUid === undefined || podUid === '' || other === '' || podUid === other;
}

/** An entry, and who wants it, once for each front end. */
interface WantedEntry {
  readonly entry: Entry;
  readonly owners: readonly string[];
}

/** In place of the owner of a front end that is retired. */
const nobody = '';

interface Counting {
  readonly by: 1 | -1;
  readonly owner: string;
  readonly touched: Keys;
}

function counted(owners: readonly string[], { by, owner }: Counting): readonly string[] {
  return by === 1 ? owners.concat(owner) : owners.toSpliced(owners.indexOf(owner), 1);
}

function keyOfOwner({ owner }: Claim): string {
  return owner?.key ?? '';
}

function byPriority(one: Claim, other: Claim): number {
  const [a, b] = [one.owner, other.owner];
  if (a === undefined || b === undefined) return 0;
  return a.created - b.created || (a.key < b.key ? -1 : 1);
}
