import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { Endpoint } from '../../kube/types.ts';
import { EndpointTable } from './endpoint-table.ts';
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
  #list: readonly Endpoint[] = none;
  #table: EndpointTable | undefined;

  constructor(node: NodeTopology) {
    this.#node = node;
  }

  /** The number of records, those that do not count included. */
  get size(): number {
    return this.#table?.size ?? this.#list.length;
  }

  /** The endpoint that counts at an address and port. */
  get(id: RealServerId): Endpoint | undefined {
    if (this.#table !== undefined) return this.#table.get(id);
    return id.port === this.#port ? this.#find(id) : undefined;
  }

  /** Adds all endpoints of a slice at once, with its port number. False if they have to be added one by one. */
  addAll(port: number, endpoints: readonly Endpoint[]): boolean {
    if (this.size > 0 || endpoints.length > few || !haveOwnAddresses(endpoints)) return false;
    this.#port = port;
    this.#list = endpoints;
    return true;
  }

  /** Adds a record with the port number of its slice. Adding it again has no effect. */
  add(port: number, endpoint: Endpoint): void {
    if (this.#table !== undefined) this.#table.add(port, endpoint);
    else if (this.#list.length === 0) {
      this.#port = port;
      this.#list = [endpoint];
    } else if (this.#list.length < few && port === this.#port && this.#find(endpoint) === undefined)
      this.#list = this.#list.concat([endpoint]);
    else if (port !== this.#port || this.#find(endpoint) !== endpoint)
      this.#makeTable().add(port, endpoint);
  }

  /** Removes this very record, if it is there. */
  remove(port: number, endpoint: Endpoint): void {
    if (this.#table !== undefined) this.#table.remove(port, endpoint);
    else if (port === this.#port && this.#list.includes(endpoint))
      this.#list = this.#list.filter((one) => one !== endpoint);
  }

  /** Visits each endpoint that counts, with its address and port. */
  forEach(visit: (endpoint: Endpoint, id: RealServerId) => void): void {
    if (this.#table !== undefined) this.#table.forEach(visit);
    else
      for (const endpoint of this.#list)
        visit(endpoint, { address: endpoint.address, port: this.#port });
  }

  /** Visits each endpoint that counts, without its port. */
  forEachEndpoint(visit: (endpoint: Endpoint) => void): void {
    if (this.#table === undefined) this.#list.forEach(visit);
    else this.#table.forEachEndpoint(visit);
  }

  #find({ address }: { readonly address: Endpoint['address'] }): Endpoint | undefined {
    // A loop, as most of all comparisons of addresses are made here.
    for (const one of this.#list) if (one.address === address) return one;
    return undefined;
  }

  #makeTable(): EndpointTable {
    const table = new EndpointTable(this.#node);
    for (const endpoint of this.#list) table.add(this.#port, endpoint);
    this.#list = none;
    this.#table = table;
    return table;
  }
}

const none: readonly never[] = Object.freeze([]);

/** Whether no two of a few endpoints have one address. */
function haveOwnAddresses(endpoints: readonly Endpoint[]): boolean {
  for (let at = 1; at < endpoints.length; at++)
    for (let before = 0; before < at; before++)
      if (endpoints[at]?.address === endpoints[before]?.address) return false;
  return true;
}
