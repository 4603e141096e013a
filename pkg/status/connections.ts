import {
  type Ipvs,
  type RealServerStatus,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import { type Clock, seconds } from '../runner/clock.ts';
import { TokenBucket } from '../runner/token-bucket.ts';

/** How many virtual servers are read for one page, and how many in a second for all who ask, one dump each. */
const dumpLimit = 200;
const dumpsPerSecond = 200;
/** How long a reading counts. */
const freshFor = seconds(2);
/** How many real servers are remembered with their connections. */
const keptLimit = 20_000;

/** The connections of the real servers of a virtual server, by {@link realServerKey}. */
export type Connections = ReadonlyMap<
  string,
  { readonly active: number; readonly inactive: number }
>;

/** What is read for one page. */
export interface PageConnections {
  /** The connections behind a virtual server; `undefined` if too many were asked for. Throws KernelError. */
  of(virtualServer: VirtualServerId): Promise<Connections | undefined>;
  /** Of how many virtual servers they were asked for and not read. */
  readonly unread: number;
}

export interface ConnectionReaderOptions {
  /** Opens a connection to IPVS for reading, when somebody asks for the first time. */
  readonly open: () => Pick<Ipvs, 'realServers'> & { close(): void };
  readonly clock: Clock;
}

interface Reading {
  readonly time: number;
  readonly connections: Connections;
}

/** Reads the connections of real servers from the kernel, and no more often than limits allow, however often it is asked. */
export class ConnectionReader {
  readonly #options: ConnectionReaderOptions;
  readonly #bucket: TokenBucket;
  #ipvs: ReturnType<ConnectionReaderOptions['open']> | undefined;
  /** By virtual server. */
  readonly #readings = new Map<string, Reading>();
  #kept = 0;

  constructor(options: ConnectionReaderOptions) {
    const { clock } = options;
    this.#options = options;
    const interval = seconds(1) / dumpsPerSecond;
    this.#bucket = new TokenBucket({ clock, burst: dumpsPerSecond, interval });
  }

  /** Begins a page. */
  page(): PageConnections {
    let left = dumpLimit;
    let unread = 0;
    return {
      of: async (virtualServer) => {
        const known = this.#known(virtualServer);
        if (known !== undefined) return known;
        if (left === 0 || !this.#bucket.take()) {
          unread++;
          return undefined;
        }
        left--;
        return await this.#read(virtualServer);
      },
      get unread() {
        return unread;
      },
    };
  }

  close(): void {
    this.#ipvs?.close();
    this.#ipvs = undefined;
  }

  #known(virtualServer: VirtualServerId): Connections | undefined {
    const reading = this.#readings.get(virtualServerKey(virtualServer));
    const isFresh = reading !== undefined && this.#options.clock.now() - reading.time < freshFor;
    return isFresh ? reading.connections : undefined;
  }

  async #read(virtualServer: VirtualServerId): Promise<Connections> {
    this.#ipvs ??= this.#options.open();
    const statuses = await this.#ipvs.realServers(virtualServer);
    const connections = connectionsOf(statuses);
    this.#keep(virtualServerKey(virtualServer), connections);
    return connections;
  }

  /** Remembers a reading. Forgets all others if they become too many. */
  #keep(key: string, connections: Connections): void {
    this.#kept += connections.size - (this.#readings.get(key)?.connections.size ?? 0);
    if (this.#kept > keptLimit || this.#readings.size > keptLimit) {
      this.#readings.clear();
      this.#kept = connections.size;
    }
    this.#readings.set(key, { time: this.#options.clock.now(), connections });
  }
}

/** The connections of real servers as they were dumped. */
export function connectionsOf(realServers: readonly RealServerStatus[]): Connections {
  return new Map(
    realServers.map((status) => [
      realServerKey(status),
      { active: status.activeConnections, inactive: status.inactiveConnections },
    ]),
  );
}
