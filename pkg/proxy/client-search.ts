import type { Flow } from '../conntrack/conntrack.ts';
import { realServerKey, virtualServerKey } from '../ipvs/ipvs.ts';
import type { DrainRequest } from './drain-list.ts';
import { endsOf } from './flow-ends.ts';

/** Who is connected to a real server. */
interface Clients {
  /** How many there are. */
  count: number;
  /** Their flows by client, for a dump may tell one twice; none if there are too many in all. */
  readonly flows: Map<string, Flow>;
}

/**
 * Picks the clients of some real servers out of a dump of conntrack: flows to the virtual server which the real server
 * answers, and which are established. Their original direction names the client as it is, masqueraded or not.
 */
export class ClientSearch {
  /** By virtual server, then by real server. */
  readonly #clients = new Map<string, Map<string, Clients>>();
  readonly #limit: number;
  #count = 0;

  /** Above the limit, clients are only counted. */
  constructor(requests: readonly DrainRequest[], { limit }: { limit: number }) {
    this.#limit = limit;
    for (const { server, backend } of requests) {
      const key = virtualServerKey(server);
      const backends = this.#clients.get(key) ?? new Map<string, Clients>();
      backends.set(realServerKey(backend), { count: 0, flows: new Map() });
      this.#clients.set(key, backends);
    }
  }

  /** Takes a flow of the dump in. */
  see(flow: Flow): void {
    if (flow.tcpState !== 'ESTABLISHED') return;
    const { server, backend } = endsOf(flow);
    const clients = this.#clients.get(virtualServerKey(server))?.get(realServerKey(backend));
    const client = `${flow.original.source} ${flow.original.sourcePort}`;
    if (clients === undefined || clients.flows.has(client)) return;
    clients.count++;
    this.#count++;
    if (this.#count <= this.#limit) clients.flows.set(client, flow);
    else if (this.#count === this.#limit + 1) this.#forgetFlows();
  }

  /** The clients of one of the real servers. */
  clientsOf({ server, backend }: DrainRequest): { count: number; flows: readonly Flow[] } {
    const clients = this.#clients.get(virtualServerKey(server))?.get(realServerKey(backend));
    return { count: clients?.count ?? 0, flows: [...(clients?.flows.values() ?? [])] };
  }

  #forgetFlows(): void {
    for (const backends of this.#clients.values()) {
      for (const { flows } of backends.values()) flows.clear();
    }
  }
}
