import type { Failure } from '../errno/errno.ts';
import {
  type Ipvs,
  type IpvsInfo,
  type IpvsTimeouts,
  type IpvsWrite,
  noStatistics,
  type RealServerId,
  type RealServerStatus,
  realServerKey,
  type VirtualServerId,
  type VirtualServerStatus,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import type { Clock } from '../runner/clock.ts';
import { Yielder } from '../runner/yielder.ts';

/** A virtual server of the copy with its real servers, by {@link realServerKey}. */
interface Held {
  readonly status: VirtualServerStatus;
  readonly realServers: Map<string, RealServerStatus>;
}

/** A copy of a node's virtual servers. Writes change the copy, so that what is read later is what a start would find then. */
export class PreviewIpvs implements Ipvs {
  readonly #held = new Map<string, Held>();

  /** Reads the node once. Without IPVS there is nothing. `onRead` is called after each virtual server. */
  static async read(
    ipvs: Pick<Ipvs, 'virtualServers' | 'realServers'> | undefined,
    { clock, onRead }: { readonly clock: Clock; readonly onRead?: () => void },
  ): Promise<PreviewIpvs> {
    const copy = new PreviewIpvs();
    const yielder = new Yielder(() => clock.now());
    for (const status of (await ipvs?.virtualServers()) ?? []) {
      await yielder.yieldIfDue();
      const realServers = (await ipvs?.realServers(status)) ?? [];
      onRead?.();
      copy.#held.set(virtualServerKey(status), {
        status,
        realServers: new Map(realServers.map((each) => [realServerKey(each), each])),
      });
    }
    return copy;
  }

  write(batch: readonly IpvsWrite[]): readonly Failure[] {
    for (const write of batch) this.#write(write);
    return [];
  }

  async virtualServers(): Promise<readonly VirtualServerStatus[]> {
    return [...this.#held.values()].map(({ status }) => status);
  }

  virtualServer(id: VirtualServerId): VirtualServerStatus | undefined {
    return this.#held.get(virtualServerKey(id))?.status;
  }

  async realServers(id: VirtualServerId): Promise<readonly RealServerStatus[]> {
    return [...(this.#held.get(virtualServerKey(id))?.realServers.values() ?? [])];
  }

  info(): IpvsInfo {
    return { version: '', connectionTableSize: 0 };
  }

  timeouts(): IpvsTimeouts {
    return { tcp: 0, tcpFin: 0, udp: 0 };
  }

  setTimeouts(): void {
    // Settings are previewed apart.
  }

  /** The connections of a virtual server, or of one of its real servers. */
  connectionsOf(id: VirtualServerId, realServer: RealServerId | undefined): number {
    const held = this.#held.get(virtualServerKey(id))?.realServers;
    if (held === undefined) return 0;
    const some =
      realServer === undefined ? [...held.values()] : [held.get(realServerKey(realServer))];
    return some.reduce(
      (sum, each) => sum + (each?.activeConnections ?? 0) + (each?.inactiveConnections ?? 0),
      0,
    );
  }

  #write(write: IpvsWrite): void {
    const key = virtualServerKey(write.virtualServer);
    switch (write.kind) {
      case 'addVirtualServer':
      case 'updateVirtualServer': {
        const status = { ...write.virtualServer, statistics: noStatistics };
        this.#held.set(key, {
          status,
          realServers: this.#held.get(key)?.realServers ?? new Map<string, RealServerStatus>(),
        });
        return;
      }
      case 'deleteVirtualServer':
        this.#held.delete(key);
        return;
      case 'deleteRealServer':
        this.#held.get(key)?.realServers.delete(realServerKey(write.realServer));
        return;
      case 'addRealServer':
      case 'updateRealServer': {
        const { realServer } = write;
        const realServers = this.#held.get(key)?.realServers;
        const before = realServers?.get(realServerKey(realServer)) ?? unused;
        realServers?.set(realServerKey(realServer), { ...before, ...realServer });
      }
    }
  }
}

const unused = {
  activeConnections: 0,
  inactiveConnections: 0,
  persistentConnections: 0,
  statistics: noStatistics,
};
