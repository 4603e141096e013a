import { type Family, familyOf, type IpAddress } from '../../ip/address.ts';
import type { Entry } from '../../ipset/ipset.ts';
import { type RealServerId, type VirtualServerId, virtualServerKey } from '../../ipvs/ipvs.ts';
import { changedFrontEnd } from './changed-front-end.ts';
import { Claims } from './claims.ts';
import { CountedObjects, type Counting } from './counted-objects.ts';
import type {
  Footprint,
  FootprintChange,
  FrontEnd,
  LocalLack,
  OwnedFrontEnd,
  SetEntry,
} from './footprint.ts';
import { Groups } from './groups.ts';
import { Keys } from './keys.ts';
import { LocalLacks } from './local-lacks.ts';
import { NoLocalEntries } from './no-local.ts';
import { nobody } from './owners.ts';
import { isSamePod, type PodRealServer } from './pod-identity.ts';
import { byPort } from './port-map.ts';
import { allPorts, type PortName } from './port-name.ts';
import { noRealServers, type WantedRealServer } from './real-servers.ts';
import type { RuleContent } from './rule-content.ts';
import type { Owner } from './service.ts';
import { entryEffect } from './sets.ts';
import { touchEndpoints } from './touched.ts';
import { Undecided, type Unexplained } from './undecided.ts';

/**
 * The sum of all footprints. Addresses and set entries may have many owners and are counted; a virtual server
 * has one. A front end that nobody wants any more stays as *retired*, with its entries and address but without real
 * servers, until {@link release}: its clients must be told before it goes (`design.md` section 2). From then on it is
 * *leaving*: what the kernel recognises its virtual server by stays until {@link forget}, when the kernel is known to have
 * deleted the virtual server.
 */
export class Ledger {
  /** By Service and port. */
  readonly #footprints = new Groups<PortName, Footprint>(byPort);
  readonly #claims = new Claims();
  readonly #retired = new Map<string, FrontEnd>();
  /** Front ends whose virtual server is being deleted, each with what of it is still counted. */
  readonly #leaving = new Map<string, FrontEnd>();
  /** The last owner of each retired front end. One that was found in the kernel has none. */
  readonly #lastOwners = new Map<string, Owner>();
  readonly #counted = new CountedObjects();
  readonly #undecided = new Undecided();
  readonly #withoutLocal = new LocalLacks();
  readonly #noLocal = new NoLocalEntries(this.#claims, this.#counted);

  /** Replaces the footprint of a port of a Service. Adds the keys of changed objects to `touched` and returns it. */
  set(footprint: Footprint, { touched = new Keys() } = {}): Keys {
    const { owner, port } = footprint;
    const last = this.#footprints.get(owner.key, port);
    this.#footprints.set(owner.key, footprint);
    this.#withoutLocal.count(owner.key, {
      before: last?.withoutLocalEndpoints ?? [],
      after: footprint.withoutLocalEndpoints,
    });
    footprint.frontEnds.forEach((frontEnd) => this.#enter(frontEnd, touched));
    const counting = { by: 1, owner: owner.key, touched } as const;
    for (const entry of footprint.hairpins) this.#counted.countEntry(entry, counting);
    if (last !== undefined) this.#withdraw(last, touched);
    return touched;
  }

  /** Records that the endpoints of a known port changed in place. Adds the keys of changed objects to `touched` and returns it. */
  change(
    service: string,
    change: FootprintChange,
    { port, touched }: { port: PortName; touched: Keys },
  ): void {
    const entered = this.#footprints.get(service, port);
    if (entered === undefined) throw new Error(`${service} has no port ${port.name}`);
    this.#withoutLocal.count(service, change.withoutLocalEndpoints);
    const noted = { change, touched, undecided: this.#undecided, noLocal: this.#noLocal };
    for (const frontEnd of entered.frontEnds) touchEndpoints(frontEnd, noted);
    const { before, after } = change.hairpins;
    const counting = { owner: service, touched };
    for (const entry of after) this.#counted.countEntry(entry, { by: 1, ...counting });
    for (const entry of before) this.#counted.countEntry(entry, { by: -1, ...counting });
  }

  /** The footprint of a port of a Service; `undefined` if there is none. */
  footprint(service: string, port: PortName): Footprint | undefined {
    return this.#footprints.get(service, port);
  }

  /** Removes the footprint of a port of a Service, given by its key. Adds the keys of changed objects to `touched` and returns it. */
  remove(
    service: string,
    { port = allPorts, touched = new Keys() }: { port?: PortName; touched?: Keys } = {},
  ): Keys {
    const last = this.#footprints.get(service, port);
    if (last === undefined) return touched;
    this.#footprints.delete(service, port);
    this.#withoutLocal.count(service, { before: last.withoutLocalEndpoints });
    this.#withdraw(last, touched);
    return touched;
  }

  /** The footprints of all ports of a Service. */
  footprints(service: string): readonly Footprint[] {
    return this.#footprints.of(service);
  }

  /** Adds a virtual server as retired that was found in the kernel and that no Service wants. */
  retire(frontEnd: FrontEnd): Keys {
    const touched = new Keys();
    const key = virtualServerKey(frontEnd.virtualServer);
    if (!this.wants(key) && !this.#leaving.has(key)) this.#retire(frontEnd, touched);
    return touched;
  }

  /**
   * Gives up a retired front end: its virtual server is to be deleted. Of a bound one the entries that allow go first; all else
   * stays until {@link forget}. Nothing happens if it is not retired any more.
   */
  release(key: string, { touched = new Keys() } = {}): Keys {
    const frontEnd = this.#retired.get(key);
    if (frontEnd === undefined) return touched;
    this.#retired.delete(key);
    touched.addVirtualServer(key);
    touched.addFamily(familyOf(frontEnd.virtualServer.address));
    const stays = ({ set }: SetEntry) => !frontEnd.isBound || entryEffect(set) !== 'allow';
    const counting = { by: -1, owner: nobody, touched } as const;
    for (const entry of frontEnd.entries)
      if (!stays(entry)) this.#counted.countEntry(entry, counting);
    const entries = frontEnd.entries.filter(stays);
    this.#leaving.set(key, changedFrontEnd(frontEnd, { entries }));
    return touched;
  }

  /** Gives up the rest of a leaving front end, whose virtual server the kernel has deleted. */
  forget(key: string, { touched = new Keys() } = {}): Keys {
    const frontEnd = this.#leaving.get(key);
    if (frontEnd === undefined) return touched;
    this.#leaving.delete(key);
    this.#lastOwners.delete(key);
    this.#countFrontEnd(frontEnd, { by: -1, owner: nobody, touched });
    return touched;
  }

  /** Counts objects as wanted that a start found in the kernel and that no API object explains, until {@link decide}. */
  keep(unexplained: Unexplained): void {
    this.#undecided.keep(unexplained);
    this.#counted.countAll(unexplained, { by: 1, owner: nobody, touched: new Keys() });
  }

  /** Gives up the objects that were kept by that. Returns their keys. */
  decide(): Keys {
    const touched = new Keys();
    const unexplained = this.#undecided.clear();
    for (const key of unexplained.virtualServers.keys()) touched.addVirtualServer(key);
    this.#counted.countAll(unexplained, { by: -1, owner: nobody, touched });
    return touched;
  }

  /** Whether something of a virtual server is kept until {@link decide}. */
  isUndecided(key: string): boolean {
    return this.#undecided.has(key);
  }

  /** The front end of a virtual server: that of the Service that holds it, or the retired one; `undefined` if there is neither. */
  frontEnd(key: string): FrontEnd | undefined {
    const frontEnd = this.#claims.holder(key) ?? this.#retired.get(key);
    return frontEnd && this.#undecided.completed(key, frontEnd);
  }

  /** Who holds a virtual server or, if it is retired, held it last; `undefined` if that is not known. */
  lastOwner(key: string): Owner | undefined {
    return this.frontEnd(key)?.owner ?? this.#lastOwners.get(key);
  }

  /** Whether a Service wants a virtual server. */
  wants(key: string): boolean {
    return this.#claims.has(key);
  }

  /** What a virtual server, by its key, should have at the place of a real server; `undefined` for nothing. */
  wantedRealServer(virtualServer: string, realServer: RealServerId): WantedRealServer | undefined {
    return this.frontEnd(virtualServer)?.realServers.get(realServer);
  }

  /** Whether a real server is wanted, and for the same pod as far as both are known. */
  wantsRealServer(virtualServer: VirtualServerId, { realServer, podUid }: PodRealServer): boolean {
    const wanted = this.wantedRealServer(virtualServerKey(virtualServer), realServer);
    return wanted !== undefined && isSamePod(podUid, wanted.podUid);
  }

  /** Whether another pod's real server is wanted in the place of one. */
  wantsSuccessor(virtualServer: VirtualServerId, { realServer, podUid }: PodRealServer): boolean {
    const wanted = this.wantedRealServer(virtualServerKey(virtualServer), realServer);
    return wanted !== undefined && !isSamePod(podUid, wanted.podUid);
  }

  wantsEntry(set: string, key: string): boolean {
    return this.#counted.wantsEntry(set, key);
  }

  wantsAddress(address: IpAddress): boolean {
    return this.#counted.wantsAddress(address);
  }

  /** What the rules of a family should be for; the same object as long as it is the same. */
  ruleContent(family: Family): RuleContent {
    return this.#counted.ruleContent(family);
  }

  /** Sets the ranges of VIPs in which nothing but Services is to be reached. */
  readonly closeRanges: CountedObjects['closeRanges'] = (all) => this.#counted.closeRanges(all);

  /** The keys of all virtual servers that are wanted, retired ones included. */
  *virtualServers(): Generator<string> {
    yield* this.#claims.virtualServers();
    yield* this.#retired.keys();
  }

  /** All addresses that should be bound. */
  addresses(): Iterable<IpAddress> {
    return this.#counted.addresses();
  }

  /** All entries that a set should have. */
  readonly entries = (set: string): Iterable<Entry> => this.#counted.entries(set);

  /** How many entries a set should have. */
  readonly entryCount = (set: string): number => this.#counted.entryCount(set);

  /** The retired front ends, by key. */
  retired(): ReadonlyMap<string, FrontEnd> {
    return this.#retired;
  }

  /** The front ends whose virtual servers are being deleted, by key. */
  leaving(): ReadonlyMap<string, FrontEnd> {
    return this.#leaving;
  }

  /** The conflicts of Services about virtual servers, for reports. */
  get conflicts(): Pick<Claims, 'takeConflicts' | 'takeLost' | 'conflictCount'> {
    return this.#claims;
  }

  /** How many Services find no local endpoint for a traffic policy that asks for one. */
  withoutLocalEndpoints(): Readonly<Record<LocalLack, number>> {
    return this.#withoutLocal.services();
  }

  /** The Services that want any of some objects of the kernel; of a virtual server the one that holds it. */
  ownersOf(keys: Keys): ReadonlySet<string> {
    const owners = new Set<string>(this.#counted.ownersOf(keys));
    for (const key of keys.allVirtualServers())
      owners.add(this.frontEnd(key)?.owner?.key ?? nobody);
    owners.delete(nobody);
    return owners;
  }

  #enter(frontEnd: OwnedFrontEnd, touched: Keys): void {
    const key = virtualServerKey(frontEnd.virtualServer);
    this.#claims.enter(key, frontEnd);
    this.#undecided.explained(key, frontEnd);
    this.#countFrontEnd(frontEnd, { by: 1, owner: frontEnd.owner.key, touched });
    if (this.#retired.size > 0) this.release(key, { touched });
    if (this.#leaving.size > 0) this.forget(key, { touched });
  }

  #withdraw({ owner, frontEnds, hairpins }: Footprint, touched: Keys): void {
    const counting = { by: -1, owner: owner.key, touched } as const;
    for (const frontEnd of frontEnds) {
      const key = virtualServerKey(frontEnd.virtualServer);
      const isUnwanted = this.#claims.withdraw(key, frontEnd);
      if (isUnwanted && !this.#leaving.has(key)) {
        this.#retire(frontEnd, touched);
        this.#lastOwners.set(key, owner);
      }
      this.#countFrontEnd(frontEnd, counting);
    }
    for (const entry of hairpins) this.#counted.countEntry(entry, counting);
  }

  #retire(frontEnd: FrontEnd, touched: Keys): void {
    const key = virtualServerKey(frontEnd.virtualServer);
    if (this.#retired.has(key)) return;
    const change = { owner: undefined, policy: undefined, realServers: noRealServers };
    const retired = changedFrontEnd(frontEnd, change);
    this.#retired.set(key, retired);
    this.#countFrontEnd(retired, { by: 1, owner: nobody, touched });
  }

  #countFrontEnd(frontEnd: FrontEnd, counting: Counting): void {
    counting.touched.addVirtualServer(virtualServerKey(frontEnd.virtualServer));
    counting.touched.addFamily(familyOf(frontEnd.virtualServer.address));
    this.#counted.countFrontEnd(frontEnd, counting);
    this.#noLocal.update(frontEnd.virtualServer, counting.touched);
  }
}
