import type { IpvsConnection } from '../../connections/connections.ts';
import type { Flow } from '../../conntrack/conntrack.ts';
import type { ClientConnection } from '../../reset/reset.ts';
import { connectionOf, endsOf, type FlowEnds, FlowEndsMap } from '../flows/flow-ends.ts';
import { type Cleanup, noCleanup, type WaitingClient } from '../plan/cleanup.ts';

/** A real server to delete, and how many active connections IPVS counted for it; `undefined` if it was not read. */
export interface Leaving extends FlowEnds {
  readonly connections: number | undefined;
}

interface Search {
  /** How many connections there should be; `undefined` if that is unknown. */
  connections: number | undefined;
  count: number;
  /** By client, as a dump may name one twice. */
  readonly waiting: Map<string, WaitingClient>;
  /** The connections to close: all that IPVS has and that are not closed. */
  readonly entries: ClientConnection[];
  /** How many connections each table has that are not established yet: IPVS counts them as active, and they need no reset. */
  readonly opening: { tracked: number; untracked: number };
}

const openingFlow = new Set<Flow['tcpState']>(['SYN_SENT', 'SYN_RECV']);
const openingConnection = new Set(['SYN_SENT', 'SYN_RECV', 'SYNACK']);

/**
 * Finds the clients of some real servers in a dump of conntrack. Where IPVS counts more connections than conntrack has, IPVS's own
 * table is searched too: the kernel forgets masqueraded flows of a device that goes down. The original direction of a flow has the
 * client's own address, masqueraded or not.
 */
export class ClientSearch {
  readonly #searches = new FlowEndsMap<Search>();
  readonly #limit: number;
  #count = 0;

  /** Beyond the limit, clients are only counted. */
  constructor(leaving: readonly Leaving[], { limit }: { limit: number }) {
    this.#limit = limit;
    for (const { connections, ...request } of leaving) {
      const opening = { tracked: 0, untracked: 0 };
      const found = { count: 0, waiting: new Map(), entries: [], opening };
      this.#searches.set(request, { connections, ...found });
    }
  }

  /**
   * Whether IPVS's table must be read: some connections that IPVS counts were not found, or were not counted, and the limit is not
   * reached.
   */
  get isIncomplete(): boolean {
    if (this.#count > this.#limit) return false;
    for (const search of this.#searches.values())
      if (search.connections === undefined || missing(search) > 0) return true;
    return false;
  }

  /** Handles one flow of a dump of conntrack. */
  see(flow: Flow): void {
    const search = this.#searches.get(endsOf(flow));
    if (search === undefined) return;
    if (openingFlow.has(flow.tcpState)) search.opening.tracked++;
    if (flow.tcpState === 'ESTABLISHED') this.#add(search, { flow, isTracked: true });
  }

  /** Handles one entry of IPVS's connection table. Called after the whole dump of conntrack. */
  seeConnection(connection: IpvsConnection): void {
    if (connection.protocol !== 'TCP') return;
    const flow = flowOf(connection);
    const search = this.#searches.get(endsOf(flow));
    if (search === undefined) return;
    if (connection.clientPort !== 0 && connection.state !== 'CLOSE')
      search.entries.push(connectionOf(flow));
    if (openingConnection.has(connection.state)) search.opening.untracked++;
    if (connection.state === 'ESTABLISHED') this.#add(search, { flow, isTracked: false });
  }

  /**
   * What has to happen around the deletion of one of the real servers. With `closes`, its connections that were found in IPVS's
   * table are closed.
   */
  cleanupOf(request: FlowEnds, { closes }: { closes: boolean }): Cleanup {
    const search = this.#searches.get(request);
    if (search === undefined) return noCleanup;
    const { count, entries } = search;
    const clients = { count, waiting: [...search.waiting.values()], missing: missing(search) };
    return { closing: closes ? entries : undefined, clients, flows: [] };
  }

  #add(search: Search, client: WaitingClient): void {
    const { source, sourcePort } = client.flow.original;
    const key = `${source} ${sourcePort}`;
    if (search.waiting.has(key)) return;
    search.count++;
    this.#count++;
    if (this.#count <= this.#limit) search.waiting.set(key, client);
    else if (this.#count === this.#limit + 1)
      for (const { waiting } of this.#searches.values()) waiting.clear();
  }
}

function missing({ connections = 0, count, opening }: Search): number {
  return Math.max(0, connections - count - Math.max(opening.tracked, opening.untracked));
}

/** The flow that conntrack would have for a connection whose client is not masqueraded. */
function flowOf({ protocol, client, clientPort, address, port, ...real }: IpvsConnection): Flow {
  return {
    protocol,
    original: {
      source: client,
      sourcePort: clientPort,
      destination: address,
      destinationPort: port,
    },
    reply: {
      source: real.realAddress,
      sourcePort: real.realPort,
      destination: client,
      destinationPort: clientPort,
    },
    zone: 0,
    id: undefined,
    status: 0,
    mark: 0,
    tcpState: 'ESTABLISHED',
  };
}
