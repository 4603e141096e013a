import type { Family, IpAddress } from '../../ip/address.ts';
import { type Entry, entryKey } from '../../ipset/ipset.ts';
import {
  type IpvsWrite,
  type RealServer,
  realServerKey,
  type VirtualServer,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { SetId } from '../desired/sets.ts';

/** A real server that the kernel holds. */
export interface HeldRealServer extends RealServer {
  /** Whose it was when it was added; '' if that is unknown. */
  readonly podUid: string;
}

/** A virtual server that the kernel holds. */
export interface HeldServer {
  readonly virtualServer: VirtualServer;
  readonly realServers: Map<string, HeldRealServer>;
}

/** What is known of a family's rules. */
export interface RuleStatus {
  /** The sets with entries for which the rules in the kernel were made; `undefined` if that is not known. */
  readonly written: ReadonlySet<SetId> | undefined;
  /** Those for which they are being made; `undefined` if nothing is to be written. */
  readonly requested: ReadonlySet<SetId> | undefined;
  /** The last attempt failed: nothing waits for the rules. */
  readonly isFailing: boolean;
}

/**
 * What the kernel holds of what is ours, as far as we know: every write that succeeded is recorded here, and the
 * audit puts it right. Of what a failed write has done nothing is known: its object is *unknown* until it is read back
 * (virtual servers) or written again (entries and addresses, whose writes may be repeated).
 */
export class Mirror {
  hasDevice = false;
  /** Addresses of the other devices, as dumped: where node ports are served. */
  nodeAddresses: readonly IpAddress[] = [];
  /** Addresses on the dummy device. */
  readonly bound = new Set<IpAddress>();
  readonly unknownAddresses = new Set<IpAddress>();
  readonly virtualServers = new Map<string, HeldServer>();
  /** Virtual servers, by key, of which a write failed since they were last read. */
  readonly unknownVirtualServers = new Map<string, VirtualServerId>();
  /** Sets that exist, by name, with their entries by key. */
  readonly sets = new Map<string, Map<string, Entry>>();
  readonly #unknownEntries = new Map<string, Set<string>>();
  /** Written by the one who writes rules. */
  readonly rules = new Map<Family, RuleStatus>();

  /** Records a write to IPVS that the kernel took. */
  recordWrite(write: IpvsWrite, podUid = ''): void {
    const held = this.virtualServers.get(virtualServerKey(write.virtualServer));
    switch (write.kind) {
      case 'addVirtualServer':
      case 'updateVirtualServer':
        this.virtualServers.set(virtualServerKey(write.virtualServer), {
          virtualServer: write.virtualServer,
          realServers: held?.realServers ?? new Map(),
        });
        return;
      case 'deleteVirtualServer':
        this.virtualServers.delete(virtualServerKey(write.virtualServer));
        return;
      case 'addRealServer':
      case 'updateRealServer':
        held?.realServers.set(
          realServerKey(write.realServer),
          heldRealServer(write.realServer, podUid),
        );
        return;
      case 'deleteRealServer':
        held?.realServers.delete(realServerKey(write.realServer));
    }
  }

  /** Records that a write to IPVS failed, or that its answer was lost. */
  recordFailedWrite({ virtualServer }: IpvsWrite): void {
    const { address, protocol, port } = virtualServer;
    this.unknownVirtualServers.set(virtualServerKey(virtualServer), { address, protocol, port });
  }

  /** Records that an address is bound, or no longer is. */
  recordAddress(address: IpAddress, { isBound }: { isBound: boolean }): void {
    this.unknownAddresses.delete(address);
    if (isBound) this.bound.add(address);
    else this.bound.delete(address);
  }

  /** Records all addresses of the dummy device, as dumped. */
  recordAddresses(addresses: Iterable<IpAddress>): void {
    this.unknownAddresses.clear();
    this.bound.clear();
    for (const address of addresses) this.bound.add(address);
  }

  /** Records that an entry is in a set, or no longer is. */
  recordEntry(set: string, { entry, isPresent }: { entry: Entry; isPresent: boolean }): void {
    const key = entryKey(entry);
    this.#unknownEntries.get(set)?.delete(key);
    if (isPresent) this.sets.get(set)?.set(key, entry);
    else this.sets.get(set)?.delete(key);
  }

  /** Records that a write of an entry failed, or that its answer was lost. */
  recordFailedEntry(set: string, entry: Entry): void {
    const unknown = this.#unknownEntries.get(set);
    if (unknown === undefined) this.#unknownEntries.set(set, new Set([entryKey(entry)]));
    else unknown.add(entryKey(entry));
  }

  /** Records what a set holds, by {@link entryKey}, as dumped; `undefined` if there is no such set. */
  recordSet(name: string, entries: Map<string, Entry> | undefined): void {
    this.#unknownEntries.delete(name);
    if (entries === undefined) this.sets.delete(name);
    else this.sets.set(name, entries);
  }

  /** Whether a set has an entry; `undefined` if that is unknown. */
  hasEntry(set: string, key: string): boolean | undefined {
    if (this.#unknownEntries.get(set)?.has(key) === true) return undefined;
    return this.sets.get(set)?.has(key) ?? false;
  }

  /** Whether an address is bound; `undefined` if that is unknown. */
  hasAddress(address: IpAddress): boolean | undefined {
    return this.unknownAddresses.has(address) ? undefined : this.bound.has(address);
  }

  /** Records what a dump said of one virtual server; `undefined` if it is not there. Pods known before stay known. */
  recordServer(
    key: string,
    found: { virtualServer: VirtualServer; realServers: readonly RealServer[] } | undefined,
  ): void {
    this.unknownVirtualServers.delete(key);
    if (found === undefined) {
      this.virtualServers.delete(key);
      return;
    }
    const before = this.virtualServers.get(key)?.realServers;
    const realServers = new Map<string, HeldRealServer>();
    for (const realServer of found.realServers) {
      const id = realServerKey(realServer);
      realServers.set(id, heldRealServer(realServer, before?.get(id)?.podUid ?? ''));
    }
    this.virtualServers.set(key, { virtualServer: found.virtualServer, realServers });
  }
}

/** Named one by one, the fields take a third less memory than copied ones, and no counters come along. */
function heldRealServer(realServer: RealServer, podUid: string): HeldRealServer {
  const { address, port, weight, forwarding, upperThreshold, lowerThreshold } = realServer;
  return { address, port, weight, forwarding, upperThreshold, lowerThreshold, podUid };
}
