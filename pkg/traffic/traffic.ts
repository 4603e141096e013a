import type { Ipvs, Statistics, VirtualServerId, VirtualServerStatus } from '../ipvs/ipvs.ts';
import { virtualServerKey } from '../ipvs/ipvs.ts';
import { Yielder } from '../runner/yielder.ts';

/** The labels of the series of one service port. A node port is a port of its own. */
export interface TrafficLabels {
  readonly namespace: string;
  readonly name: string;
  readonly port: string;
  readonly protocol: string;
}

/** The traffic of one service port of this node since the first reading, over all its addresses. */
export interface TrafficSample {
  readonly labels: TrafficLabels;
  /** As of the last run of the kernel's estimator, which runs every 2 s; they do not change while it is switched off. */
  readonly totals: Readonly<Record<keyof Statistics, number>>;
  /** Established connections. One that was opened since the last run of the estimator may be missing. */
  readonly activeConnections: number;
}

export interface ServiceTrafficOptions {
  /** Used for nothing else, as a write during a dump throws. */
  readonly ipvs: Pick<Ipvs, 'virtualServers' | 'realServers'>;
  /** Whether the kernel's estimator runs (`run_estimation`). If not, the counters say nothing about connections. */
  readonly isEstimating: () => boolean;
  /** The Service that owns a virtual server or owned it last. */
  readonly ownerOf: (virtualServer: VirtualServerId) => NamedObject | undefined;
  readonly now: () => number;
}

interface NamedObject {
  readonly namespace: string;
  readonly name: string;
}

/** How many service ports have series of their own. All others share one. */
const seriesLimit = 2_000;
/** Of how many virtual servers the connections are read at once, one dump each. Of the others the last reading counts. */
const dumpLimit = 1_000;

const rest: TrafficLabels = { namespace: '(other)', name: '(other)', port: '', protocol: '' };

interface Series {
  readonly labels: TrafficLabels;
  readonly totals: Record<keyof Statistics, number>;
  activeConnections: number;
}

/** The last reading of a virtual server. */
interface Reading {
  readonly statistics: Statistics;
  activeConnections: number;
  /** The number of the read that counted its connections; 0 for none. */
  countedIn: number;
  /** Its connections may have changed and were not counted, as there were too many to count. */
  isPending: boolean;
}

interface OwnedVirtualServer {
  readonly virtualServer: VirtualServerStatus;
  readonly owner: NamedObject;
  readonly before: Reading | undefined;
  readonly reading: Reading;
}

/**
 * Adds up the counters of IPVS's virtual servers by Service, on request. A virtual server that is made again begins at 0; its counters
 * are added to those before.
 *
 * The counters of all virtual servers come from one dump. Counting the connections of one takes a dump more. It is left out for UDP, of
 * which IPVS counts no connection as active, and for those without an active connection when they were counted and no packet since.
 */
export class ServiceTraffic {
  readonly #options: ServiceTrafficOptions;
  /** By the key of the virtual server. */
  #readings: ReadonlyMap<string, Reading> = new Map();
  #series: ReadonlyMap<string, Series> = new Map();
  #reads = 0;
  #reading: Promise<readonly TrafficSample[]> | undefined;

  constructor(options: ServiceTrafficOptions) {
    this.#options = options;
  }

  /** Reads the kernel once for all callers that wait. Throws KernelError. Services that were deleted are left out. */
  read(): Promise<readonly TrafficSample[]> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<readonly TrafficSample[]> {
    const virtualServers = await this.#ownedVirtualServers();
    await this.#countConnections(virtualServers);
    const seen = new Map<string, Series>();
    const readings = new Map<string, Reading>();
    for (const { virtualServer, owner, before, reading } of virtualServers) {
      const [id, series] = this.#seriesOf(labelsOf(owner, virtualServer), seen);
      if (!seen.has(id)) series.activeConnections = 0;
      seen.set(id, series);
      series.activeConnections += reading.activeConnections;
      add(series.totals, { statistics: reading.statistics, before: before?.statistics });
      readings.set(virtualServerKey(virtualServer), reading);
    }
    this.#readings = readings;
    this.#series = seen;
    return [...seen.values()];
  }

  async #ownedVirtualServers(): Promise<readonly OwnedVirtualServer[]> {
    const { ipvs, ownerOf } = this.#options;
    const virtualServers: OwnedVirtualServer[] = [];
    for (const virtualServer of await ipvs.virtualServers()) {
      const owner = ownerOf(virtualServer);
      if (owner === undefined) continue;
      const before = this.#readings.get(virtualServerKey(virtualServer));
      const { activeConnections = 0, countedIn = 0 } = before ?? {};
      const { statistics } = virtualServer;
      const reading = { statistics, activeConnections, countedIn, isPending: false };
      virtualServers.push({ virtualServer, owner, before, reading });
    }
    return virtualServers;
  }

  /** Counts the active connections where their number may have changed, first where it was counted longest ago. */
  async #countConnections(virtualServers: readonly OwnedVirtualServer[]): Promise<void> {
    const { ipvs, isEstimating, now } = this.#options;
    const yielder = new Yielder(now);
    const areCountersValid = isEstimating();
    const due = virtualServers
      .filter(({ virtualServer: { protocol } }) => protocol !== 'UDP')
      .filter((virtualServer) => !areCountersValid || mayHaveChanged(virtualServer))
      .sort((one, other) => one.reading.countedIn - other.reading.countedIn);
    const read = ++this.#reads;
    for (const { virtualServer, reading } of due.slice(0, dumpLimit)) {
      const realServers = await ipvs.realServers(virtualServer);
      reading.activeConnections = realServers.reduce((sum, one) => sum + one.activeConnections, 0);
      reading.countedIn = read;
      await yielder.yieldIfDue();
    }
    for (const { reading } of due.slice(dumpLimit)) reading.isPending = true;
  }

  /** The series of a service port, or the shared one if there are too many. */
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

/** Whether the number of active connections may have changed. A connection becomes active with a packet, and may end without one. */
function mayHaveChanged({ before, reading: { statistics } }: OwnedVirtualServer): boolean {
  if (before?.isPending === true || (before?.activeConnections ?? 0) > 0) return true;
  const last = before?.statistics;
  return counters.some((name) => statistics[name] !== (last?.[name] ?? 0n));
}

const none: Readonly<Record<keyof Statistics, number>> = {
  connections: 0,
  incomingPackets: 0,
  outgoingPackets: 0,
  incomingBytes: 0,
  outgoingBytes: 0,
};

const counters = Object.keys(none) as readonly (keyof Statistics)[]; // by its type

/** Adds the difference to the last reading. A counter that went back belongs to a new virtual server with the same key. */
function add(
  totals: Record<keyof Statistics, number>,
  { statistics, before }: { statistics: Statistics; before: Statistics | undefined },
): void {
  const isSame = before !== undefined && statistics.connections >= before.connections;
  for (const name of counters) {
    const since = isSame ? statistics[name] - before[name] : statistics[name];
    if (since > 0n) totals[name] += Number(since);
  }
}
