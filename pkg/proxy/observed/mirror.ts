import type { Family, IpAddress } from '../../ip/address.ts';
import { type Entry, entryKey } from '../../ipset/ipset.ts';
import {
  type IpvsWrite,
  type RealServer,
  type RealServerId,
  type VirtualServer,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';
import { unknownPod } from '../desired/pod-identity.ts';
import type { AlikeRealServers, RealServerState } from '../desired/real-servers.ts';
import type { RuleContent } from '../desired/rule-content.ts';
import { exchange } from './exchange.ts';
import { HeldRealServerMap, type HeldRealServers } from './held-real-servers.ts';
import { HeldRoutes, type HeldRoutesView } from './held-routes.ts';
import { hasOtherSettings } from './other-state.ts';

/** A virtual server that the kernel holds. */
export interface HeldVirtualServer {
  readonly virtualServer: VirtualServer;
  readonly realServers: HeldRealServers;
}

/** What is known of a family's rules. */
export interface RuleStatus {
  /** The content of the rules in the kernel; `undefined` if that is unknown. */
  readonly written: RuleContent | undefined;
  /** The content that was requested; `undefined` if nothing is to be written. */
  readonly requested: RuleContent | undefined;
  /** The content that is being written now; `undefined` between two writes. */
  readonly writing?: RuleContent | undefined;
  /** The last attempt failed: nothing waits for the rules. */
  readonly isFailing: boolean;
}

/** The content that the rules have once they are written as requested; `undefined` if that is unknown. */
export function comingContent(status: RuleStatus | undefined): RuleContent | undefined {
  return status?.requested ?? status?.written;
}

/** A read-only view of what the kernel holds of ours, as far as it is known. */
export interface MirrorView {
  readonly hasDevice: boolean;
  /** Addresses of the other devices, as dumped: where node ports are served. */
  readonly nodeAddresses: readonly IpAddress[];
  /** Addresses on the dummy device. */
  readonly bound: ReadonlySet<IpAddress>;
  /** Local routes of ours. */
  readonly routes: HeldRoutesView;
  readonly virtualServers: ReadonlyMap<string, HeldVirtualServer>;
  /** Virtual servers, by key, of which a write failed since they were last read. */
  readonly unknownVirtualServers: ReadonlyMap<string, VirtualServerId>;
  /** Sets that exist, by name, with their entries by key. */
  readonly sets: ReadonlyMap<string, ReadonlyMap<string, Entry>>;
  readonly rules: ReadonlyMap<Family, RuleStatus>;
  /** The families in whose nat table rules of iptables mode serve. */
  readonly servedByIptables: ReadonlySet<Family>;
  /** How many entries a set has room for; `undefined` for one that has no such limit, or is not known. */
  setSize(name: string): number | undefined;
  /** Whether a set has an entry; `undefined` if that is unknown. */
  hasEntry(set: string, key: string): boolean | undefined;
  /** Whether an address is bound; `undefined` if that is unknown. */
  hasAddress(address: IpAddress): boolean | undefined;
}

interface Held extends HeldVirtualServer {
  readonly realServers: HeldRealServerMap;
}

/**
 * What the kernel holds of ours, as far as it is known. Every write that succeeded is recorded here, and the audit corrects it.
 * After a write that failed its object is *unknown* until it is read back (virtual servers) or written again (entries and
 * addresses). Changed by its own methods alone.
 */
export class Mirror implements MirrorView {
  readonly routes: HeldRoutes = new HeldRoutes();
  #hasDevice = false;
  #nodeAddresses: readonly IpAddress[] = [];
  readonly #bound = new Set<IpAddress>();
  readonly #unknownAddresses = new Set<IpAddress>();
  readonly #virtualServers = new Map<string, Held>();
  readonly #unknownVirtualServers = new Map<string, VirtualServerId>();
  readonly #sets = new Map<string, Map<string, Entry>>();
  readonly #setSizes = new Map<string, number>();
  readonly #unknownEntries = new Map<string, Set<string>>();
  readonly #rules = new Map<Family, RuleStatus>();
  readonly #servedByIptables = new Set<Family>();
  /** The virtual server of the last write of a real server: most writes concern that of the one before. */
  #last: { readonly id: VirtualServerId; readonly realServers: HeldRealServerMap } | undefined;

  get hasDevice(): boolean {
    return this.#hasDevice;
  }

  get nodeAddresses(): readonly IpAddress[] {
    return this.#nodeAddresses;
  }

  get bound(): ReadonlySet<IpAddress> {
    return this.#bound;
  }

  get virtualServers(): ReadonlyMap<string, HeldVirtualServer> {
    return this.#virtualServers;
  }

  get unknownVirtualServers(): ReadonlyMap<string, VirtualServerId> {
    return this.#unknownVirtualServers;
  }

  get sets(): ReadonlyMap<string, ReadonlyMap<string, Entry>> {
    return this.#sets;
  }

  get rules(): ReadonlyMap<Family, RuleStatus> {
    return this.#rules;
  }

  get servedByIptables(): ReadonlySet<Family> {
    return this.#servedByIptables;
  }

  hasEntry(set: string, key: string): boolean | undefined {
    if (this.#unknownEntries.size > 0 && this.#unknownEntries.get(set)?.has(key) === true)
      return undefined;
    return this.#sets.get(set)?.has(key) ?? false;
  }

  setSize(name: string): number | undefined {
    return this.#setSizes.get(name);
  }

  hasAddress(address: IpAddress): boolean | undefined {
    return this.#unknownAddresses.has(address) ? undefined : this.#bound.has(address);
  }

  /** Records whether the dummy device is there. */
  recordDevice({ isPresent }: { isPresent: boolean }): void {
    this.#hasDevice = isPresent;
  }

  /** Records the addresses of the other devices, as dumped. Equal ones keep the same array, so that values derived from it stay valid. */
  recordNodeAddresses(addresses: Iterable<IpAddress>): void {
    const now = [...addresses];
    const last = this.#nodeAddresses;
    const isSame = now.length === last.length && now.every((one, index) => one === last[index]);
    if (!isSame) this.#nodeAddresses = now;
  }

  /** Records what is known of a family's rules. */
  recordRules(family: Family, status: RuleStatus): void {
    this.#rules.set(family, status);
  }

  /** Records the families that rules of iptables mode serve. */
  recordServedByIptables(served: Iterable<Family>): void {
    this.#servedByIptables.clear();
    for (const family of served) this.#servedByIptables.add(family);
  }

  /** Records a write to IPVS that succeeded, and the pod of a real server. */
  recordWrite(write: IpvsWrite, pod: PodIdentity = unknownPod): void {
    const { virtualServer } = write;
    switch (write.kind) {
      case 'addVirtualServer':
      case 'updateVirtualServer':
        this.#recordHeld(virtualServerKey(virtualServer), {
          virtualServer: write.virtualServer,
          realServers: this.#realServersOf(virtualServer) ?? new HeldRealServerMap(),
        });
        return;
      case 'deleteVirtualServer':
        this.#recordHeld(virtualServerKey(virtualServer), undefined);
        return;
      case 'addRealServer':
      case 'updateRealServer':
        this.#realServersOf(virtualServer)?.record(write.realServer, pod);
        return;
      case 'deleteRealServer':
        this.#realServersOf(virtualServer)?.delete(write.realServer);
    }
  }

  /** Records that real servers were added that differ in nothing but their addresses and pods. */
  recordAlike(
    virtualServer: VirtualServerId,
    { realServers, ...shared }: AlikeRealServers & { readonly state: RealServerState },
  ): void {
    this.#realServersOf(virtualServer)?.recordAlike(realServers, shared);
  }

  #realServersOf(id: VirtualServerId): HeldRealServerMap | undefined {
    if (this.#last?.id === id) return this.#last.realServers;
    const realServers = this.#virtualServers.get(virtualServerKey(id))?.realServers;
    this.#last = realServers && { id, realServers };
    return realServers;
  }

  #recordHeld(key: string, held: Held | undefined): void {
    this.#last = undefined;
    if (held === undefined) this.#virtualServers.delete(key);
    else this.#virtualServers.set(key, held);
  }

  /** Records that a write to IPVS failed, or that its answer was lost. */
  recordFailedWrite({ virtualServer }: IpvsWrite): void {
    this.recordUnknownVirtualServer(virtualServerKey(virtualServer), virtualServer);
  }

  /** Records that the state of a virtual server is unknown until it is read. */
  recordUnknownVirtualServer(key: string, { address, protocol, port }: VirtualServerId): void {
    this.#unknownVirtualServers.set(key, { address, protocol, port });
  }

  /** Records the pod of a real server that was found in the kernel. */
  recordPod(
    virtualServer: string,
    { id, podUid }: { id: RealServerId; podUid: PodIdentity },
  ): void {
    this.#virtualServers.get(virtualServer)?.realServers.recordPod(id, podUid);
  }

  /** Records that an address is bound, or no longer is. */
  recordAddress(address: IpAddress, { isBound }: { isBound: boolean }): void {
    this.#unknownAddresses.delete(address);
    if (isBound) this.#bound.add(address);
    else this.#bound.delete(address);
  }

  /** Records that a write of an address failed, or that its answer was lost. */
  recordFailedAddress(address: IpAddress): void {
    this.#unknownAddresses.add(address);
  }

  /** Records all addresses of the dummy device, as dumped. */
  recordAddresses(addresses: Iterable<IpAddress>): void {
    this.#unknownAddresses.clear();
    this.#bound.clear();
    for (const address of addresses) this.#bound.add(address);
  }

  /** Records that an entry is in a set, or no longer is. */
  recordEntry(set: string, { entry, isPresent }: { entry: Entry; isPresent: boolean }): void {
    const key = entryKey(entry);
    if (this.#unknownEntries.size > 0) this.#unknownEntries.get(set)?.delete(key);
    if (isPresent) this.#sets.get(set)?.set(key, entry);
    else this.#sets.get(set)?.delete(key);
  }

  /** Records that a write of an entry failed, or that its answer was lost. */
  recordFailedEntry(set: string, entry: Entry): void {
    const unknown = this.#unknownEntries.get(set);
    if (unknown === undefined) this.#unknownEntries.set(set, new Set([entryKey(entry)]));
    else unknown.add(entryKey(entry));
  }

  /** Records the entries of a set by {@link entryKey}, as dumped; `undefined` if the set does not exist. */
  recordSet(name: string, entries: Map<string, Entry> | undefined): void {
    this.#unknownEntries.delete(name);
    if (entries === undefined) this.#sets.delete(name);
    else this.#sets.set(name, entries);
  }

  /** Records that a set has the entries that it is known to have, as dumped. */
  confirmSet(name: string): void {
    this.#unknownEntries.delete(name);
  }

  /** Records how many entries a set has room for. */
  recordSetSize(name: string, size: number): void {
    this.#setSizes.set(name, size);
  }

  /** Records that the contents of two sets were swapped. */
  recordSwap(one: string, other: string): void {
    exchange(this.#sets, [one, other]);
    exchange(this.#setSizes, [one, other]);
    exchange(this.#unknownEntries, [one, other]);
  }

  /** Records the state of one virtual server, as dumped; `undefined` if it does not exist. Known pods of real servers are kept. */
  recordVirtualServer(
    key: string,
    found: { virtualServer: VirtualServer; realServers: readonly RealServer[] } | undefined,
  ): void {
    this.#unknownVirtualServers.delete(key);
    if (found === undefined) return this.#recordHeld(key, undefined);
    const before = this.#virtualServers.get(key);
    const isSame =
      before?.realServers.holdsOnly(found.realServers) === true &&
      !hasOtherSettings(before.virtualServer, found.virtualServer);
    if (isSame) return;
    const realServers = new HeldRealServerMap();
    for (const realServer of found.realServers)
      realServers.record(realServer, before?.realServers.podOf(realServer) ?? unknownPod);
    this.#recordHeld(key, { virtualServer: found.virtualServer, realServers });
  }
}
