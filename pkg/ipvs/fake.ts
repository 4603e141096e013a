import { type ErrnoCode, type Failure, KernelError } from '../errno/errno.ts';
import type { IpAddress } from '../ip/address.ts';
import { refusal } from './checks.ts';
import {
  IP_VS_SVC_F_HASHED,
  type Ipvs,
  type IpvsInfo,
  type IpvsTimeouts,
  type IpvsWrite,
  noStatistics,
  type RealServer,
  type RealServerId,
  type RealServerStatus,
  realServerKey,
  type VirtualServerId,
  type VirtualServerStatus,
  virtualServerKey,
} from './ipvs.ts';
import { printVirtualServers, printWrite } from './print.ts';

/** The counters of a real server that a test sets, as traffic would. */
export type Counters = Partial<
  Pick<
    RealServerStatus,
    'activeConnections' | 'inactiveConnections' | 'persistentConnections' | 'statistics'
  >
>;

/** How the fake differs from an idle kernel. */
export interface FakeIpvsOptions {
  /** Called before each write. A returned code makes the write fail and change nothing. */
  readonly fail?: (write: IpvsWrite) => ErrnoCode | undefined;
  /**
   * Whether a real server that is deleted and added again gets its counters back, as in the kernel for some milliseconds; see
   * {@link FakeIpvs.forgetDeleted}.
   */
  readonly remembersDeleted?: boolean;
  /** Schedulers that can be loaded; by default those that the kernel comes with. */
  readonly schedulers?: readonly string[];
}

/** How many times each method was called, and each kind of write tried. */
export type CallCounts = Record<keyof Ipvs | IpvsWrite['kind'], number>;

const standardSchedulers = [
  ...['rr', 'wrr', 'lc', 'wlc', 'fo', 'ovf', 'lblc', 'lblcr'],
  ...['dh', 'sh', 'mh', 'sed', 'nq', 'twos'],
];

interface Service {
  status: VirtualServerStatus;
  readonly realServers: Map<string, RealServerStatus>;
}

/** IPVS in memory: checks what the kernel checks, fails with its codes, and moves no packet. */
export class FakeIpvs implements Ipvs {
  /** May be changed at any time. */
  fail: ((write: IpvsWrite) => ErrnoCode | undefined) | undefined;
  calls = noCalls();
  readonly #options: FakeIpvsOptions;
  readonly #schedulers: ReadonlySet<string>;
  readonly #services = new Map<string, Service>();
  readonly #deleted = new Map<string, RealServerStatus>();
  #timeouts: IpvsTimeouts = { tcp: 900, tcpFin: 120, udp: 300 };
  #dumps = 0;

  constructor(options: FakeIpvsOptions = {}) {
    this.#options = options;
    this.fail = options.fail;
    this.#schedulers = new Set(options.schedulers ?? standardSchedulers);
  }

  write(batch: readonly IpvsWrite[]): readonly Failure[] {
    this.calls.write++;
    if (this.#dumps > 0) throw new Error('a write during a dump: the kernel would lose objects');
    return batch.flatMap((write, index) => {
      this.calls[write.kind]++;
      const code = this.fail?.(write) ?? this.#try(write);
      return code === undefined ? [] : [{ index, error: new KernelError(printWrite(write), code) }];
    });
  }

  async virtualServers(): Promise<readonly VirtualServerStatus[]> {
    this.calls.virtualServers++;
    return this.#dump(() => [...this.#services.values()].map(({ status }) => status));
  }

  virtualServer(id: VirtualServerId): VirtualServerStatus | undefined {
    this.calls.virtualServer++;
    return this.#services.get(virtualServerKey(id))?.status;
  }

  async realServers(
    id: VirtualServerId,
    addresses?: ReadonlySet<IpAddress>,
  ): Promise<readonly RealServerStatus[]> {
    this.calls.realServers++;
    return this.#dump(() => {
      const all = [...(this.#services.get(virtualServerKey(id))?.realServers.values() ?? [])];
      return addresses === undefined ? all : all.filter(({ address }) => addresses.has(address));
    });
  }

  info(): IpvsInfo {
    this.calls.info++;
    return { version: '1.2.1', connectionTableSize: 4096 };
  }

  timeouts(): IpvsTimeouts {
    this.calls.timeouts++;
    return this.#timeouts;
  }

  setTimeouts({ tcp, tcpFin, udp }: IpvsTimeouts): void {
    this.calls.setTimeouts++;
    const longest = Math.floor(0x7fffffff / 250); // INT_MAX / HZ
    if ([tcp, tcpFin, udp].some((timeout) => timeout > longest)) {
      throw new KernelError('set IPVS timeouts', 'EINVAL');
    }
    const old = this.#timeouts;
    this.#timeouts = { tcp: tcp || old.tcp, tcpFin: tcpFin || old.tcpFin, udp: udp || old.udp };
  }

  /** Sets counters, as traffic would. The real server must exist. */
  setCounters(virtualServer: VirtualServerId, realServer: RealServerId, counters: Counters): void {
    const realServers = this.#services.get(virtualServerKey(virtualServer))?.realServers;
    const status = realServers?.get(realServerKey(realServer));
    if (status === undefined) throw new Error(`no real server ${realServerKey(realServer)}`);
    realServers?.set(realServerKey(realServer), { ...status, ...counters });
  }

  /** From now on, real servers deleted so far come back with counters at 0, as in the kernel after some milliseconds. */
  forgetDeleted(): void {
    this.#deleted.clear();
  }

  /** Sets the counts of calls to 0. */
  resetCalls(): void {
    this.calls = noCalls();
  }

  /** The state as `ipvsadm -Sn` prints it, in the order of additions. */
  dump(): string {
    return printVirtualServers(
      [...this.#services.values()].map(({ status, realServers }) => ({
        virtualServer: status,
        realServers: [...realServers.values()],
      })),
    );
  }

  async #dump<T>(read: () => T): Promise<T> {
    this.#dumps++;
    await Promise.resolve();
    this.#dumps--;
    return read();
  }

  /** Does the write, or returns why not. */
  #try(write: IpvsWrite): ErrnoCode | undefined {
    const key = virtualServerKey(write.virtualServer);
    const service = this.#services.get(key);
    const code = refusal(write, {
      virtualServer: service?.status,
      hasRealServer:
        'realServer' in write && service?.realServers.has(realServerKey(write.realServer)) === true,
      schedulers: this.#schedulers,
    });
    if (code !== undefined) return code;
    switch (write.kind) {
      case 'addVirtualServer':
      case 'updateVirtualServer': {
        const flags = write.virtualServer.flags & ~IP_VS_SVC_F_HASHED;
        const status = {
          ...write.virtualServer,
          flags,
          statistics: noStatistics,
        };
        if (service === undefined) this.#services.set(key, { status, realServers: new Map() });
        else service.status = status;
        return undefined;
      }
      case 'deleteVirtualServer':
        for (const realServer of service?.realServers.values() ?? [])
          this.#remember(key, realServer);
        this.#services.delete(key);
        return undefined;
      case 'addRealServer':
      case 'updateRealServer':
        this.#putRealServer(key, write.realServer);
        return undefined;
      case 'deleteRealServer': {
        const status = service?.realServers.get(realServerKey(write.realServer));
        if (status !== undefined) this.#remember(key, status);
        service?.realServers.delete(realServerKey(write.realServer));
        return undefined;
      }
    }
  }

  #putRealServer(key: string, realServer: RealServer): void {
    const realServers = this.#services.get(key)?.realServers;
    const realServerId = realServerKey(realServer);
    const { activeConnections, inactiveConnections, persistentConnections, statistics } =
      realServers?.get(realServerId) ?? this.#deleted.get(`${key} ${realServerId}`) ?? idle;
    realServers?.set(realServerId, {
      ...realServer,
      activeConnections,
      inactiveConnections,
      persistentConnections,
      statistics,
    });
  }

  #remember(key: string, realServer: RealServerStatus): void {
    if (this.#options.remembersDeleted !== true) return;
    this.#deleted.set(`${key} ${realServerKey(realServer)}`, realServer);
  }
}

const idle = {
  activeConnections: 0,
  inactiveConnections: 0,
  persistentConnections: 0,
  statistics: noStatistics,
};

function noCalls(): CallCounts {
  return {
    write: 0,
    virtualServers: 0,
    virtualServer: 0,
    realServers: 0,
    info: 0,
    timeouts: 0,
    setTimeouts: 0,
    addVirtualServer: 0,
    updateVirtualServer: 0,
    deleteVirtualServer: 0,
    addRealServer: 0,
    updateRealServer: 0,
    deleteRealServer: 0,
  };
}
