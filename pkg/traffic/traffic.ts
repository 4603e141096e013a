import type { Ipvs, Statistics, VirtualServerId } from '../ipvs/ipvs.ts';
import { virtualServerKey } from '../ipvs/ipvs.ts';
import { Yielder } from '../runner/yielder.ts';

/** What names the series of one service port; a node port is a port of its own. */
export interface TrafficLabels {
  readonly namespace: string;
  readonly name: string;
  readonly port: string;
  readonly protocol: string;
}

/** What went through one service port of this node since the program knows it, all its addresses together. */
export interface TrafficSample {
  readonly labels: TrafficLabels;
  /** As the kernel's estimator last took them, every 2 s; they stand still where it is switched off. */
  readonly totals: Readonly<Record<keyof Statistics, number>>;
  /** Connections that are established now. */
  readonly activeConnections: number;
}

/** What traffic is counted with. */
export interface ServiceTrafficOptions {
  /** One that nobody writes through: a write during a dump throws. */
  readonly ipvs: Pick<Ipvs, 'virtualServers' | 'realServers'>;
  /** The Service that has a virtual server, or had it last. */
  readonly ownerOf: (virtualServer: VirtualServerId) => NamedObject | undefined;
  readonly now: () => number;
}

interface NamedObject {
  readonly namespace: string;
  readonly name: string;
}

/** How many service ports are told apart; what comes beyond is counted together. */
const seriesLimit = 2_000;

const rest: TrafficLabels = { namespace: '(other)', name: '(other)', port: '', protocol: '' };

interface Series {
  readonly labels: TrafficLabels;
  readonly totals: Record<keyof Statistics, number>;
  activeConnections: number;
}

/**
 * Adds up what IPVS counts of each virtual server, by Service. A virtual server that is made anew begins at 0: what it counts is
 * added to what was before. Nothing is read until somebody asks.
 */
export class ServiceTraffic {
  readonly #options: ServiceTrafficOptions;
  /** By the key of a virtual server what was added already. */
  #counted = new Map<string, Statistics>();
  #series = new Map<string, Series>();
  #reading: Promise<readonly TrafficSample[]> | undefined;

  constructor(options: ServiceTrafficOptions) {
    this.#options = options;
  }

  /** Reads the kernel once for all who ask meanwhile; throws KernelError. A Service that is gone is gone from the answer. */
  read(): Promise<readonly TrafficSample[]> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<readonly TrafficSample[]> {
    const { ipvs, ownerOf, now } = this.#options;
    const yielder = new Yielder(now);
    const counted = new Map<string, Statistics>();
    const seen = new Map<string, Series>();
    for (const { statistics, ...virtualServer } of await ipvs.virtualServers()) {
      const owner = ownerOf(virtualServer);
      if (owner === undefined) continue;
      const realServers = await ipvs.realServers(virtualServer);
      const active = realServers.reduce((sum, { activeConnections }) => sum + activeConnections, 0);
      const key = virtualServerKey(virtualServer);
      const [id, series] = this.#seriesOf(labelsOf(owner, virtualServer), seen);
      if (!seen.has(id)) series.activeConnections = 0;
      seen.set(id, series);
      series.activeConnections += active;
      add(series.totals, { statistics, before: this.#counted.get(key) });
      counted.set(key, statistics);
      await yielder.yieldIfDue();
    }
    this.#counted = counted;
    this.#series = seen;
    return [...seen.values()];
  }

  /** The series of a service port, or the one that all share who came too late. */
  #seriesOf(labels: TrafficLabels, seen: ReadonlyMap<string, Series>): readonly [string, Series] {
    const id = Object.values(labels).join('\n');
    const known = seen.get(id) ?? this.#series.get(id);
    if (known !== undefined) return [id, known];
    const isFull = Math.max(seen.size, this.#series.size) >= seriesLimit;
    if (isFull && labels !== rest) return this.#seriesOf(rest, seen);
    return [id, { labels, totals: { ...none }, activeConnections: 0 }];
  }
}

function labelsOf(
  { namespace, name }: NamedObject,
  { port, protocol }: VirtualServerId,
): TrafficLabels {
  return { namespace, name, port: String(port), protocol };
}

const none: Readonly<Record<keyof Statistics, number>> = {
  connections: 0,
  incomingPackets: 0,
  outgoingPackets: 0,
  incomingBytes: 0,
  outgoingBytes: 0,
};

/** Adds what was counted since; a counter that went back belongs to another virtual server with that key. */
function add(
  totals: Record<keyof Statistics, number>,
  { statistics, before }: { statistics: Statistics; before: Statistics | undefined },
): void {
  const isSame = before !== undefined && statistics.connections >= before.connections;
  for (const name of Object.keys(none) as (keyof Statistics)[]) {
    const since = isSame ? statistics[name] - before[name] : statistics[name];
    if (since > 0n) totals[name] += Number(since);
  }
}
