import type { IpvsConnection, IpvsConnections } from '../../connections/connections.ts';
import type { Flow } from '../../conntrack/conntrack.ts';
import type { Logger } from '../../log/log.ts';
import { endsOf, FlowEndsMap } from '../flows/flow-ends.ts';
import { type Cleanup, noCleanup } from '../plan/cleanup.ts';
import type { KeptSettings } from '../settings/kernel-settings.ts';
import { ClientSearch, type Leaving } from './client-search.ts';

/** Searches a dump of conntrack for what has to happen around deletions of real servers. */
export interface Search {
  see(flow: Flow): void;
  /** Called after the dump, even if that failed. Searches other sources for clients that were not found. */
  finish(): Promise<void>;
  cleanupOf(leaving: Leaving): Cleanup;
}

export interface TcpSearchOptions {
  readonly connections: IpvsConnections;
  readonly settings: KeptSettings;
  readonly log: Logger;
  /** Beyond so many clients, they are only counted. */
  readonly limit: number;
}

/** How many entries of IPVS's own table are read at most. */
const entryLimit = 20_000;

/** Finds the clients of real servers of TCP in conntrack, and in IPVS's table where that has more connections or ones that must be closed. */
export class TcpSearch implements Search {
  readonly #options: TcpSearchOptions;
  readonly #search: ClientSearch;

  constructor(leaving: readonly Leaving[], options: TcpSearchOptions) {
    this.#options = options;
    this.#search = new ClientSearch(leaving, options);
  }

  see(flow: Flow): void {
    this.#search.see(flow);
  }

  async finish(): Promise<void> {
    const { connections, settings, log } = this.#options;
    if (!this.#search.isIncomplete && settings.expiresConnections) return;
    const see = (connection: IpvsConnection) => this.#search.seeConnection(connection);
    try {
      const { isWhole, unreadable } = await connections.dump({ limit: entryLimit }, see);
      if (!isWhole || unreadable > 0)
        log.v(2)?.info('not all connections of IPVS were read', { isWhole, unreadable });
    } catch (error) {
      log.error('could not look up the connections of real servers that go', error);
    }
  }

  cleanupOf(leaving: Leaving): Cleanup {
    return this.#search.cleanupOf(leaving, { closes: !this.#options.settings.expiresConnections });
  }
}

/** Finds the flows of real servers of UDP. */
export class UdpSearch implements Search {
  readonly #flows = new FlowEndsMap<Flow[]>();

  constructor(leaving: readonly Leaving[]) {
    for (const one of leaving) this.#flows.set(one, []);
  }

  see(flow: Flow): void {
    this.#flows.get(endsOf(flow))?.push(flow);
  }

  async finish(): Promise<void> {
    // Flows that were not found are not deleted, so datagrams may be lost. The real servers are deleted all the same.
  }

  cleanupOf(leaving: Leaving): Cleanup {
    return { ...noCleanup, flows: this.#flows.get(leaving) ?? [] };
  }
}
