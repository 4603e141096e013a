import { type Family, families, familyOf } from '../ip/address.ts';
import { printVirtualServer } from '../ipvs/ipvs.ts';
import { seconds, sleep } from '../runner/clock.ts';
import { Inbox } from '../runner/inbox.ts';
import { ClientSearch } from './client-search.ts';
import { ClientTeller, type ClientTellerOptions } from './client-teller.ts';
import { type DrainRequest, familiesOf } from './drain-list.ts';

/** A real server that goes, and how many connections it has, as far as is known. */
export interface Leaving extends DrainRequest {
  readonly connections: number;
}

/** Deletes real servers in such a way that clients which only wait are told. */
export interface Farewell {
  /** Finds out who is connected to the servers, has them deleted by `cut`, and tells the clients of those that it deleted. */
  part(requests: readonly DrainRequest[], cut: () => Promise<readonly DrainRequest[]>): void;
  /** The same without any delay, and ends when it is done: clients that may not be looked up at this moment are not told. */
  partNow(leaving: readonly Leaving[], cut: () => readonly DrainRequest[]): Promise<void>;
}

/** Real servers that are over, and who deletes them. */
interface Parting {
  readonly requests: readonly DrainRequest[];
  readonly cut: () => Promise<readonly DrainRequest[]>;
}

/** A pod stands behind many virtual servers: their partings come one after the other, and one round is to serve them. */
const gathering = seconds(0.05);
/** Between the beginnings of two rounds, each with one dump of a family at most. */
const interval = seconds(1);
/** So many clients wait to be told at most: at this rate, those in front have waited for 20 s. */
const limit = 20_000;

/**
 * Tells the clients of deleted real servers, as far as they have connections that are established: they are looked up in
 * conntrack before the deletion, which takes its entries away, and told after it. One round serves all that wait.
 */
export class ClientFarewell implements Farewell {
  readonly #options: ClientTellerOptions;
  readonly #teller: ClientTeller;
  readonly #inbox = new Inbox<Parting>();
  /** When clients were last looked up. */
  readonly #lookUps = new Map<Family, number>();

  constructor(options: ClientTellerOptions) {
    this.#options = options;
    this.#teller = new ClientTeller(options);
  }

  part(requests: readonly DrainRequest[], cut: Parting['cut']): void {
    this.#inbox.put({ requests, cut });
  }

  async partNow(leaving: readonly Leaving[], cut: () => readonly DrainRequest[]): Promise<void> {
    const { clock, onUntold } = this.#options;
    const search = this.#searchFor(leaving);
    const isAllowed = (family: Family) => this.#nextLookUp([family]) <= clock.now();
    const lookedUp = familiesOf(leaving).filter(isAllowed);
    await this.#lookUp(lookedUp, search);
    for (const request of cut()) this.#tellClients(request, search);
    const untold = leaving.filter(({ server }) => !lookedUp.includes(familyOf(server.address)));
    const count = untold.reduce((sum, { connections }) => sum + connections, 0);
    if (count > 0) onUntold(count);
  }

  /** When clients of some families may be looked up again. */
  #nextLookUp(some: readonly Family[]): number {
    return Math.max(...some.map((family) => (this.#lookUps.get(family) ?? -interval) + interval));
  }

  /** Does what is asked for until the signal aborts; what then waits stays as it is. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#partAll(signal), this.#teller.run(signal)]);
  }

  async #partAll(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (await this.#inbox.hasSome(signal)) {
      const due = this.#nextLookUp(families);
      await sleep(clock, Math.max(gathering, due - clock.now()), signal);
      if (signal.aborted) return;
      await this.#round(this.#inbox.takeAll());
    }
  }

  async #round(partings: readonly Parting[]): Promise<void> {
    const requests = partings.flatMap((parting) => parting.requests);
    const search = this.#searchFor(requests);
    await this.#lookUp(familiesOf(requests), search);
    for (const { cut } of partings) {
      for (const request of await this.#cut(cut)) this.#tellClients(request, search);
    }
  }

  #searchFor(requests: readonly DrainRequest[]): ClientSearch {
    return new ClientSearch(requests, { limit: limit - this.#teller.backlog });
  }

  #tellClients(request: DrainRequest, search: ClientSearch): void {
    const { log, onUntold } = this.#options;
    const { count, flows } = search.clientsOf(request);
    this.#teller.tell(flows);
    if (flows.length === count) return;
    onUntold(count - flows.length);
    log.warn('too many clients to tell them that their server is gone', {
      virtualServer: printVirtualServer(request.server),
      clients: count,
    });
  }

  /** Whoever cannot be found finds out at the next packet; nobody's end waits for that. */
  async #lookUp(some: readonly Family[], search: ClientSearch): Promise<void> {
    const { conntrack, clock, log } = this.#options;
    for (const family of some) {
      this.#lookUps.set(family, clock.now());
      try {
        await conntrack.dump({ family, protocol: 'TCP' }, (flow) => search.see(flow));
      } catch (error) {
        log.error('could not look up the clients of real servers that go', error, { family });
      }
    }
  }

  async #cut(cut: Parting['cut']): Promise<readonly DrainRequest[]> {
    try {
      return await cut();
    } catch (error) {
      this.#options.log.error('could not delete drained real servers', error);
      return [];
    }
  }
}
