import { isNotFound } from '../errno/errno.ts';
import {
  type Ipvs,
  printRealServer,
  printVirtualServer,
  type RealServer,
  type RealServerId,
  type RealServerStatus,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import type { Logger } from '../log/log.ts';
import { type Clock, minutes, sleep } from '../runner/clock.ts';
import type { Lane } from '../runner/lane.ts';
import type { DrainCause } from './operation.ts';
import type { ServerWriter } from './server-writer.ts';

/** A real server that is to go, already at weight 0. */
export interface DrainRequest {
  readonly server: VirtualServerId;
  readonly backend: RealServer;
  /** '' if unknown. */
  readonly podUid: string;
  readonly cause: DrainCause;
}

/** How a drain ended: no connections left, wanted again, or deleted by somebody else. */
export type DrainEnd = 'empty' | 'wanted' | 'vanished';

/** What the manager works with. */
export interface GracefulOptions {
  readonly ipvs: Ipvs;
  readonly writer: ServerWriter;
  /** Whether a Service wants the real server now, and for the same pod as far as both are known. */
  readonly isWanted: (
    server: VirtualServerId,
    realServer: { readonly backend: RealServerId; readonly podUid: string },
  ) => boolean;
  readonly lane: Lane;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onEnd?: (end: DrainEnd) => void;
  /** Called when a virtual server lost a draining real server. */
  readonly onDeleted?: (server: VirtualServerId) => void;
}

/** How often draining servers are looked at. */
const checkInterval = minutes(1);

/** `10.96.0.10:53/TCP/10.244.1.7:53`: the name of a real server across all virtual servers. For people and for the list; nobody parses it. */
export function uniqueRS(server: VirtualServerId, backend: RealServerId): string {
  return `${printVirtualServer(server)}/${printRealServer(backend)}`;
}

/**
 * Real servers that are no longer wanted, on their way out: they keep their connections and get no new ones, and are
 * deleted when both connection counters are 0. UDP and SCTP ones, and those whose virtual server goes, at once.
 */
export class GracefulTerminationManager {
  readonly #options: GracefulOptions;
  readonly #list = new Map<string, Map<string, DrainRequest>>();
  #size = 0;

  constructor(options: GracefulOptions) {
    this.#options = options;
  }

  /** How many real servers drain. */
  get size(): number {
    return this.#size;
  }

  /** Sets the weight to 0, then deletes the real server if it has no connections, or lists it until then. Throws if the weight cannot be set. */
  async gracefulDeleteRS(
    server: VirtualServerId,
    backend: RealServer,
    cause: DrainCause = 'endpoint',
  ): Promise<void> {
    await this.#options.lane.run(async () => {
      const drained = { ...backend, weight: 0 };
      const [failure] = this.#options.writer.write([
        { write: { kind: 'updateRealServer', server, backend: drained } },
      ]);
      if (failure !== undefined) throw failure.error;
      await this.begin([{ server, backend: drained, podUid: '', cause }]);
    });
  }

  /** Whether a real server drains; never waits. */
  inTerminationList(unique: string): boolean {
    return this.#find(unique) !== undefined;
  }

  /** Whether a real server drains; never waits. */
  isDraining(server: VirtualServerId, backend: RealServerId): boolean {
    return this.#list.get(virtualServerKey(server))?.has(realServerKey(backend)) ?? false;
  }

  /** Gives a draining real server its weight back in place: its connections carry on. Throws if it does not drain or cannot be changed. */
  moveRSOutOfGracefulDeleteList(unique: string): void {
    const request = this.#find(unique);
    if (request === undefined) throw new Error(`${unique} does not drain`);
    const { server, backend, podUid } = request;
    const write = { kind: 'updateRealServer', server, backend: { ...backend, weight: 1 } } as const;
    const [failure] = this.#options.writer.write([{ write, podUid }]);
    if (failure !== undefined) throw failure.error;
    this.#drop(request, 'wanted');
  }

  /** Takes a real server off the list that has its weight back. */
  forget(server: VirtualServerId, backend: RealServerId): void {
    const request = this.#list.get(virtualServerKey(server))?.get(realServerKey(backend));
    if (request !== undefined) this.#drop(request, 'wanted');
  }

  /** Begins drains of real servers at weight 0: those that need not wait go at once. Inside the lane only. */
  async begin(requests: readonly DrainRequest[]): Promise<void> {
    const servers = new Map<string, VirtualServerId>();
    for (const request of requests) {
      this.#add(request);
      servers.set(virtualServerKey(request.server), request.server);
    }
    for (const server of servers.values()) await this.#check(server);
  }

  /** Looks at the draining servers every minute until the signal aborts; what drains then stays in the kernel at weight 0. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, lane } = this.#options;
    for (;;) {
      await sleep(clock, checkInterval, signal);
      if (signal.aborted) return;
      for (const requests of [...this.#list.values()]) {
        const [request] = requests.values();
        if (request !== undefined) await lane.run(() => this.#check(request.server));
      }
    }
  }

  /** Looks at all drains of one virtual server: at most one dump, and the writes that follow from it. */
  async #check(server: VirtualServerId): Promise<void> {
    const requests = [...(this.#list.get(virtualServerKey(server))?.values() ?? [])];
    const waiting = requests.filter((request) => !this.#endIfWanted(request));
    const patient = waiting.some(waitsForConnections);
    try {
      const found = patient ? await this.#read(server) : undefined;
      const over = waiting.filter(
        (request) => !waitsForConnections(request) || isEmpty(request, found),
      );
      this.#delete(over.filter((request) => !this.#endIfWanted(request)));
    } catch (error) {
      this.#options.log.error('could not look at draining real servers', error, {
        virtualServer: printVirtualServer(server),
      });
    }
  }

  async #read(server: VirtualServerId): Promise<ReadonlyMap<string, RealServerStatus>> {
    const statuses = await this.#options.ipvs.realServers(server);
    return new Map(statuses.map((status) => [realServerKey(status), status]));
  }

  #endIfWanted(request: DrainRequest): boolean {
    if (!this.#options.isWanted(request.server, request)) return false;
    this.#drop(request, 'wanted');
    return true;
  }

  #delete(requests: readonly DrainRequest[]): void {
    const writes = requests.map(({ server, backend }) => ({
      write: { kind: 'deleteRealServer', server, backend } as const,
    }));
    const errors = new Map(
      this.#options.writer.write(writes).map(({ index, error }) => [index, error]),
    );
    for (const [index, request] of requests.entries()) {
      const error = errors.get(index);
      if (error === undefined) this.#drop(request, 'empty');
      else if (isNotFound(error)) this.#drop(request, 'vanished');
      else
        this.#options.log.error('could not delete a drained real server', error, {
          realServer: uniqueRS(request.server, request.backend),
        });
    }
  }

  #add(request: DrainRequest): void {
    const key = virtualServerKey(request.server);
    const requests = this.#list.get(key) ?? new Map<string, DrainRequest>();
    if (!requests.has(realServerKey(request.backend))) this.#size++;
    this.#list.set(key, requests.set(realServerKey(request.backend), request));
    this.#options.log
      .v(2)
      ?.info('real server drains', { realServer: uniqueRS(request.server, request.backend) });
  }

  #drop({ server, backend }: DrainRequest, end: DrainEnd): void {
    const key = virtualServerKey(server);
    const requests = this.#list.get(key);
    if (requests?.delete(realServerKey(backend)) !== true) return;
    this.#size--;
    if (requests.size === 0) this.#list.delete(key);
    this.#options.log.v(2)?.info('drain ended', { realServer: uniqueRS(server, backend), end });
    this.#options.onEnd?.(end);
    if (end !== 'wanted') this.#options.onDeleted?.(server);
  }

  #find(unique: string): DrainRequest | undefined {
    for (const requests of this.#list.values()) {
      for (const request of requests.values()) {
        if (uniqueRS(request.server, request.backend) === unique) return request;
      }
    }
    return undefined;
  }
}

/** TCP connections are worth waiting for; a server that goes with its virtual server is not waited for. */
function waitsForConnections({ server, cause }: DrainRequest): boolean {
  return server.protocol === 'TCP' && cause === 'endpoint';
}

/** No connection, active or closing, is left; a server that is not there has none. */
function isEmpty(
  { backend }: DrainRequest,
  found: ReadonlyMap<string, RealServerStatus> | undefined,
): boolean {
  const status = found?.get(realServerKey(backend));
  return status === undefined || status.activeConnections + status.inactiveConnections === 0;
}
