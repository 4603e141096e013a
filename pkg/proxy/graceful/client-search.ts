import type { IpvsConnection } from '../../connections/connections.ts';
import type { Flow } from '../../conntrack/conntrack.ts';
import type { ClientConnection } from '../../reset/reset.ts';
import { connectionOf, endsKey, endsOf } from '../flows/flow-ends.ts';
import type { DrainRequest } from './list.ts';

/** A real server that goes, and how many active connections IPVS counted of it; `undefined` if nobody has looked. */
export interface Leaving extends DrainRequest {
  readonly connections: number | undefined;
}

/** A client whose connection to a real server is established. */
export interface WaitingClient {
  /** Its flow as conntrack knows it, or would. */
  readonly flow: Flow;
  /** False if conntrack knew nothing of it when it was asked: IPVS did. */
  readonly isTracked: boolean;
}

/** What became known of a real server's clients. */
export interface FoundClients {
  /** How many there are. */
  readonly count: number;
  /** Those that can be told: all of them, or none if there are too many in all. */
  readonly waiting: readonly WaitingClient[];
  /** How many active connections IPVS counted beyond those that were found. */
  readonly missing: number;
}

interface Search {
  /** How many connections there should be; `undefined` if that is unknown. */
  connections: number | undefined;
  count: number;
  /** By client, for a dump may tell one twice. */
  readonly waiting: Map<string, WaitingClient>;
  /** What is to be closed: the connections that IPVS has, whatever their state. */
  readonly entries: ClientConnection[];
  /** IPVS counts those that are not established yet as active: how many each source told of. They wait for nobody. */
  readonly opening: { tracked: number; untracked: number };
}

const openingFlow = new Set<Flow['tcpState']>(['SYN_SENT', 'SYN_RECV']);
const openingConnection = new Set(['SYN_SENT', 'SYN_RECV', 'SYNACK']);

/**
 * Picks the clients of some real servers out of a dump of conntrack, and out of IPVS's own table where conntrack knows fewer than IPVS
 * counts: the kernel forgets masqueraded flows of a device that goes down. The original direction of a flow names the client as it is,
 * masqueraded or not.
 */
export class ClientSearch {
  /** By {@link endsKey}. */
  readonly #searches = new Map<string, Search>();
  readonly #limit: number;
  #count = 0;

  /** Above the limit, clients are only counted. */
  constructor(leaving: readonly Leaving[], { limit }: { limit: number }) {
    this.#limit = limit;
    for (const { connections, ...request } of leaving) {
      const opening = { tracked: 0, untracked: 0 };
      const found = { count: 0, waiting: new Map(), entries: [], opening };
      this.#searches.set(endsKey(request), { connections, ...found });
    }
  }

  /** Whether IPVS counts more connections of some server than were found, or may do so, and those could still be told. */
  get isIncomplete(): boolean {
    if (this.#count > this.#limit) return false;
    for (const search of this.#searches.values())
      if (search.connections === undefined || missing(search) > 0) return true;
    return false;
  }

  /** Takes a flow of conntrack's dump in. */
  see(flow: Flow): void {
    const search = this.#searches.get(endsKey(endsOf(flow)));
    if (search === undefined) return;
    if (openingFlow.has(flow.tcpState)) search.opening.tracked++;
    if (flow.tcpState === 'ESTABLISHED') this.#add(search, { flow, isTracked: true });
  }

  /** Takes an entry of IPVS's table in, once conntrack has told all that it knows. */
  seeConnection(connection: IpvsConnection): void {
    if (connection.protocol !== 'TCP') return;
    const flow = flowOf(connection);
    const search = this.#searches.get(endsKey(endsOf(flow)));
    if (search === undefined) return;
    if (connection.clientPort !== 0 && connection.state !== 'CLOSE')
      search.entries.push(connectionOf(flow));
    if (openingConnection.has(connection.state)) search.opening.untracked++;
    if (connection.state === 'ESTABLISHED') this.#add(search, { flow, isTracked: false });
  }

  /** The clients of one of the real servers. */
  clientsOf(request: DrainRequest): FoundClients {
    const search = this.#searches.get(endsKey(request));
    if (search === undefined) return { count: 0, waiting: [], missing: 0 };
    return { count: search.count, waiting: [...search.waiting.values()], missing: missing(search) };
  }

  /** The connections of one of the real servers in IPVS's table, as far as it was read. Those that are closed are left out. */
  entriesOf(request: DrainRequest): readonly ClientConnection[] {
    return this.#searches.get(endsKey(request))?.entries ?? [];
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

/** How conntrack would know a connection whose client is not masqueraded; what it does not know is told by its original direction. */
function flowOf({ protocol, client, clientPort, address, port, ...real }: IpvsConnection): Flow {
  return {
    protocol,
    original: {
      ...{ source: client, sourcePort: clientPort },
      ...{ destination: address, destinationPort: port },
    },
    reply: {
      ...{ source: real.realAddress, sourcePort: real.realPort },
      ...{ destination: client, destinationPort: clientPort },
    },
    ...{ zone: 0, id: undefined, status: 0, mark: 0, tcpState: 'ESTABLISHED' },
  };
}
