import type { IpvsConnection, IpvsConnections } from '../../connections/connections.ts';
import type { Flow } from '../../conntrack/conntrack.ts';
import { type Family, families, familyOf } from '../../ip/address.ts';
import { printVirtualServer } from '../../ipvs/ipvs.ts';
import type { ClientConnection } from '../../reset/reset.ts';
import { seconds, sleep } from '../../runner/clock.ts';
import { Queue } from '../../runner/queue.ts';
import { Yielder } from '../../runner/yielder.ts';
import { familiesOf } from '../flows/flow-ends.ts';
import type { KeptSettings } from '../settings/kernel-settings.ts';
import { ClientResetter, type ClientResetterOptions } from './client-resetter.ts';
import { ClientSearch, type Leaving } from './client-search.ts';
import type { DrainRequest } from './list.ts';

/** What it takes to find the clients of real servers that go, and to tell them. */
export interface ClientResetOptions extends ClientResetterOptions {
  readonly connections: IpvsConnections;
  /** What a client meets whose server was deleted rests on them. */
  readonly settings: KeptSettings;
  /** IPVS counted so many active connections whose clients could not be found. */
  readonly onSkipped: (count: number) => void;
}

/**
 * Deletes real servers, as far as they are still to go, after what is to be done right before: for those that go, and no others. Those
 * that went.
 */
export type DeleteServers = (
  before: (requests: readonly DrainRequest[]) => Promise<void>,
) => Promise<readonly DrainRequest[]>;

/** Deletes real servers in such a way that clients which only wait are told. */
export interface ClientReset {
  /** False where IPVS keeps what clients left behind: connections that are closing must be ended too. */
  readonly expiresConnections: boolean;
  /** Finds out who is connected to the servers, has them deleted by `cut`, and tells the clients of those that it deleted. */
  part(leaving: readonly Leaving[], cut: DeleteServers): void;
  /** The same without any delay, and ends when it is done: clients that may not be looked up at this moment are not told. */
  partNow(leaving: readonly Leaving[], cut: DeleteServers): Promise<void>;
}

/** Real servers that are over, and who deletes them. */
interface Parting {
  readonly leaving: readonly Leaving[];
  readonly cut: DeleteServers;
}

/** A pod stands behind many virtual servers: their partings come one after the other, and one round is to serve them. */
const gathering = seconds(0.05);
/** Between the beginnings of two rounds, each with one dump of a family at most. */
const interval = seconds(1);
/** So many clients wait to be told at most: at this rate, those in front have waited for 20 s. */
const limit = 20_000;
/** IPVS's own table is not read beyond so many entries. */
const entryLimit = 20_000;

/**
 * Tells the clients of deleted real servers, as far as they have connections that are established: they are looked up in
 * conntrack before the deletion, which takes its entries away, and told after it. One round serves all that wait.
 */
export class ClientResets implements ClientReset {
  readonly #options: ClientResetOptions;
  readonly #clientResetter: ClientResetter;
  readonly #queue = new Queue<Parting>();
  /** When clients were last looked up. */
  readonly #lookUps = new Map<Family, number>();

  constructor(options: ClientResetOptions) {
    this.#options = options;
    this.#clientResetter = new ClientResetter(options);
  }

  get expiresConnections(): boolean {
    return this.#options.settings.expiresConnections;
  }

  part(leaving: readonly Leaving[], cut: DeleteServers): void {
    this.#queue.put({ leaving, cut });
  }

  async partNow(leaving: readonly Leaving[], cut: DeleteServers): Promise<void> {
    const { clock, onFailed } = this.#options;
    const isAllowed = (family: Family) => this.#nextLookUp([family]) <= clock.now();
    const lookedUp = new Set(familiesOf(leaving).filter(isAllowed));
    const isLookedUp = ({ virtualServer }: Leaving) =>
      lookedUp.has(familyOf(virtualServer.address));
    const search = await this.#search(leaving.filter(isLookedUp));
    await this.#cut(cut, search);
    const untold = leaving.filter((some) => !isLookedUp(some));
    const count = untold.reduce((sum, { connections = 0 }) => sum + connections, 0);
    if (count > 0) onFailed(count);
  }

  /** When clients of some families may be looked up again. */
  #nextLookUp(some: readonly Family[]): number {
    return Math.max(...some.map((family) => (this.#lookUps.get(family) ?? -interval) + interval));
  }

  /** Does what is asked for until the signal aborts; what then waits stays as it is. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#partAll(signal), this.#clientResetter.run(signal)]);
  }

  async #partAll(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (await this.#queue.hasSome(signal)) {
      const due = this.#nextLookUp(families);
      await sleep(clock, Math.max(gathering, due - clock.now()), signal);
      if (signal.aborted) return;
      await this.#round(this.#queue.takeAll());
    }
  }

  async #round(partings: readonly Parting[]): Promise<void> {
    const search = await this.#search(partings.flatMap(({ leaving }) => leaving));
    for (const { cut } of partings) {
      await this.#attempt('could not delete drained real servers', async () => {
        await this.#cut(cut, search);
      });
    }
  }

  async #cut(cut: DeleteServers, search: ClientSearch): Promise<void> {
    const areClosed = !this.expiresConnections;
    const close = (requests: readonly DrainRequest[]) =>
      this.#close(requests.flatMap((request) => search.entriesOf(request)));
    const gone = await cut(async (requests) => await (areClosed ? close(requests) : undefined));
    for (const request of gone) this.#tellClients(request, { search, areClosed });
  }

  /** IPVS would keep these connections after their server is deleted, and drop what comes from their clients, new connections included. */
  async #close(entries: readonly ClientConnection[]): Promise<void> {
    const { clock, resetter } = this.#options;
    const yielder = new Yielder(() => clock.now());
    for (const entry of entries) {
      await this.#attempt('could not close a connection of a real server that goes', () =>
        resetter.abort(entry),
      );
      await yielder.yieldIfDue();
    }
  }

  #tellClients(
    request: DrainRequest,
    { search, areClosed }: { search: ClientSearch; areClosed: boolean },
  ): void {
    const { log, onFailed, onSkipped } = this.#options;
    const { count, waiting, missing } = search.clientsOf(request);
    this.#clientResetter.tell(waiting, { areClosed });
    if (missing > 0) onSkipped(missing);
    if (waiting.length === count) return;
    onFailed(count - waiting.length);
    log.warn('too many clients to tell them that their server is gone', {
      virtualServer: printVirtualServer(request.virtualServer),
      clients: count,
    });
  }

  /** Whoever cannot be found finds out at the next packet; nobody's end waits for that. */
  async #search(leaving: readonly Leaving[]): Promise<ClientSearch> {
    const { conntrack, clock, settings } = this.#options;
    const search = new ClientSearch(leaving, { limit: limit - this.#clientResetter.backlog });
    await this.#attempt('could not look at the settings of the kernel', () => settings.restore());
    for (const family of familiesOf(leaving)) {
      this.#lookUps.set(family, clock.now());
      const see = (flow: Flow) => search.see(flow);
      await this.#attempt(
        `could not look up the ${family} clients of real servers that go`,
        async () => await conntrack.dump({ family, protocol: 'TCP' }, see),
      );
    }
    if (search.isIncomplete || !settings.expiresConnections) await this.#searchConnections(search);
    return search;
  }

  /** Looks for those whom conntrack does not know, among so many of IPVS's entries as are read in a short time. */
  async #searchConnections(search: ClientSearch): Promise<void> {
    const { connections, log } = this.#options;
    const see = (connection: IpvsConnection) => search.seeConnection(connection);
    await this.#attempt('could not look up the connections of real servers that go', async () => {
      const { isWhole, unreadable } = await connections.dump({ limit: entryLimit }, see);
      if (!isWhole || unreadable > 0)
        log.v(2)?.info('not all connections of IPVS were read', { isWhole, unreadable });
    });
  }

  /** Does something that may fail; the same failure is said once a minute. */
  async #attempt(message: string, action: () => void | Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#options.log.error(message, error);
    }
  }
}
