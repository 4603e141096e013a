import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { Endpoint } from '../../kube/types.ts';
import { type EndpointsOfPort, EndpointTable } from './endpoint-table.ts';
import { findAddress } from './real-servers.ts';
import type { NodeTopology } from './topology.ts';

/** Up to so many endpoints are looked through one by one. */
const few = 16;

/**
 * The endpoints of one service port: one for each address and port, of several the one that is most fit to serve, in whichever
 * order they come. The records themselves are the slices' own. Few of them with one port number and an address each, as most ports
 * have, are a list, which may be the slice's own; others are a table.
 */
export class PortEndpoints {
  readonly #node: NodeTopology;
  /** The port number of those that are a list. */
  #port = 0;
  #all: readonly Endpoint[] | EndpointTable = none;

  constructor(node: NodeTopology) {
    this.#node = node;
  }

  /** The number of records, those that do not count included. */
  get size(): number {
    return this.#all instanceof EndpointTable ? this.#all.size : this.#all.length;
  }

  /** How many that count serve. */
  get servingCount(): number {
    let count = 0;
    this.forEachEndpoint(({ serving }) => {
      if (serving) count++;
    });
    return count;
  }

  /** The endpoint that counts at an address and port. */
  get(id: RealServerId): Endpoint | undefined {
    if (this.#all instanceof EndpointTable) return this.#all.get(id);
    return id.port === this.#port ? findAddress(this.#all, id) : undefined;
  }

  /** Adds all endpoints of a slice at once, with its port number. False if they have to be added one by one. */
  addAll(port: number, endpoints: readonly Endpoint[]): boolean {
    if (this.size > 0 || endpoints.length > few || !haveOwnAddresses(endpoints)) return false;
    this.#port = port;
    this.#all = endpoints;
    return true;
  }

  /** Adds a record with the port number of its slice. Adding it again has no effect. */
  add(port: number, endpoint: Endpoint): void {
    const all = this.#all;
    if (all instanceof EndpointTable) {
      all.add(port, endpoint);
      return;
    }
    if (all.length === 0) this.#port = port;
    const hasPort = port === this.#port;
    const present = hasPort ? findAddress(all, endpoint) : undefined;
    if (present === endpoint) return;
    if (hasPort && present === undefined && all.length < few) {
      this.#all = all.concat([endpoint]);
      return;
    }
    const table = tableOf(all, { port: this.#port, node: this.#node });
    table.add(port, endpoint);
    this.#all = table;
  }

  /** Removes this very record, if it is there. */
  remove(port: number, endpoint: Endpoint): void {
    const all = this.#all;
    if (all instanceof EndpointTable) all.remove(port, endpoint);
    else if (port === this.#port && all.includes(endpoint))
      this.#all = all.filter((one) => one !== endpoint);
  }

  /** All endpoints that count, with their port number if they have one in common; `undefined` if they have not. */
  get ofOnePort(): EndpointsOfPort | undefined {
    const all = this.#all;
    return all instanceof EndpointTable ? all.ofOnePort : { port: this.#port, realServers: all };
  }

  /** Visits each endpoint that counts, with its address and port. */
  forEach(visit: (endpoint: Endpoint, id: RealServerId) => void): void {
    if (this.#all instanceof EndpointTable) this.#all.forEach(visit);
    else
      for (const endpoint of this.#all)
        visit(endpoint, { address: endpoint.address, port: this.#port });
  }

  /** Visits each endpoint that counts, without its port. */
  forEachEndpoint(visit: (endpoint: Endpoint) => void): void {
    if (this.#all instanceof EndpointTable) this.#all.forEachEndpoint(visit);
    else this.#all.forEach(visit);
  }
}

function tableOf(
  list: readonly Endpoint[],
  { port, node }: { port: number; node: NodeTopology },
): EndpointTable {
  const table = new EndpointTable(node);
  for (const endpoint of list) table.add(port, endpoint);
  return table;
}

const none: readonly never[] = Object.freeze([]);

/** Whether no two of a few endpoints have one address. */
function haveOwnAddresses(endpoints: readonly Endpoint[]): boolean {
  for (let at = 1; at < endpoints.length; at++)
    for (let before = 0; before < at; before++)
      if (endpoints[at]?.address === endpoints[before]?.address) return false;
  return true;
}
