import type { Family, IpAddress } from '../ip/address.ts';
import { type Entry, entryKey } from '../ipset/ipset.ts';
import {
  type IpvsWrite,
  type RealServer,
  realServerKey,
  type VirtualServer,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import type { SetId } from './sets.ts';

/** A real server that the kernel holds. */
export interface HeldRealServer extends RealServer {
  /** Whose it was when it was added; '' if that is unknown. */
  readonly podUid: string;
}

/** A virtual server that the kernel holds. */
export interface HeldServer {
  readonly server: VirtualServer;
  readonly realServers: Map<string, HeldRealServer>;
}

/**
 * What the kernel holds of what is ours, as far as we know: every write that succeeded is recorded here, and the
 * audit puts it right. Whoever writes to the kernel records it; nobody else changes it.
 */
export class Mirror {
  hasDevice = false;
  /** Addresses of the other devices, as dumped: where node ports are served. */
  nodeAddresses: readonly IpAddress[] = [];
  /** Addresses on the dummy device. */
  readonly bound = new Set<IpAddress>();
  readonly servers = new Map<string, HeldServer>();
  /** Sets that exist, by name, with their entries by key. */
  readonly sets = new Map<string, Map<string, Entry>>();
  /** For which non-empty sets a family's rules were last written; absent if the rules are not known to be right. */
  readonly rules = new Map<Family, ReadonlySet<SetId>>();

  /** Records a write to IPVS that the kernel took. */
  recordWrite(write: IpvsWrite, podUid = ''): void {
    const held = this.servers.get(virtualServerKey(write.server));
    switch (write.kind) {
      case 'addVirtualServer':
      case 'updateVirtualServer':
        this.servers.set(virtualServerKey(write.server), {
          server: write.server,
          realServers: held?.realServers ?? new Map(),
        });
        return;
      case 'deleteVirtualServer':
        this.servers.delete(virtualServerKey(write.server));
        return;
      case 'addRealServer':
      case 'updateRealServer':
        held?.realServers.set(realServerKey(write.backend), heldRealServer(write.backend, podUid));
        return;
      case 'deleteRealServer':
        held?.realServers.delete(realServerKey(write.backend));
    }
  }

  /** Records that an entry is in a set, or no longer is. */
  recordEntry(set: string, { entry, isPresent }: { entry: Entry; isPresent: boolean }): void {
    if (isPresent) this.sets.get(set)?.set(entryKey(entry), entry);
    else this.sets.get(set)?.delete(entryKey(entry));
  }

  /** Records what a dump said of one virtual server; `undefined` if it is not there. Pods known before stay known. */
  recordServer(
    key: string,
    found: { server: VirtualServer; realServers: readonly RealServer[] } | undefined,
  ): void {
    if (found === undefined) {
      this.servers.delete(key);
      return;
    }
    const before = this.servers.get(key)?.realServers;
    const realServers = new Map<string, HeldRealServer>();
    for (const realServer of found.realServers) {
      const id = realServerKey(realServer);
      realServers.set(id, heldRealServer(realServer, before?.get(id)?.podUid ?? ''));
    }
    this.servers.set(key, { server: found.server, realServers });
  }
}

/** Named one by one, the fields take a third less memory than copied ones, and no counters come along. */
function heldRealServer(realServer: RealServer, podUid: string): HeldRealServer {
  const { address, port, weight, forwarding, upperThreshold, lowerThreshold } = realServer;
  return { address, port, weight, forwarding, upperThreshold, lowerThreshold, podUid };
}
