import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { Endpoint } from '../../kube/types.ts';
import { unknownPod } from './pod-identity.ts';
import { RealServerMap } from './real-server-map.ts';
import type { AlikeRealServers } from './real-servers.ts';
import { isLocal, type NodeTopology } from './topology.ts';

/** Several endpoints with one address and port. The one that is most fit to serve counts. */
class Rivals {
  readonly all: Set<Endpoint>;
  #best: Endpoint | undefined;

  constructor(all: Iterable<Endpoint>) {
    this.all = new Set(all);
  }

  forgetBest(): void {
    this.#best = undefined;
  }

  /** Found at the first call, so that many removals in a row cost one search. */
  best(node: NodeTopology): Endpoint | undefined {
    if (this.#best !== undefined) return this.#best;
    let best: Endpoint | undefined;
    for (const one of this.all) if (best === undefined || isFitter(one, best, node)) best = one;
    this.#best = best;
    return best;
  }
}

/** Endpoints with one port number, no two of which have one address, as real servers. */
export interface EndpointsOfPort extends AlikeRealServers {
  readonly realServers: readonly Endpoint[];
}

/** Endpoints of one service port by address and port, however many there are and however many have one address. */
export class EndpointTable {
  readonly #node: NodeTopology;
  readonly #all = new RealServerMap<Endpoint | Rivals>();
  /** The number of records, those that do not count included. */
  size = 0;

  constructor(node: NodeTopology) {
    this.#node = node;
  }

  /** The endpoint that counts at an address and port. */
  get(id: RealServerId): Endpoint | undefined {
    return this.#best(this.#all.get(id));
  }

  /** Adds a record with the port number of its slice. Adding it again has no effect. */
  add(port: number, endpoint: Endpoint): void {
    const id = { address: endpoint.address, port };
    const present = this.#all.get(id);
    if (present === endpoint || (present instanceof Rivals && present.all.has(endpoint))) return;
    this.size++;
    if (present === undefined) this.#all.set(id, endpoint);
    else if (present instanceof Rivals) {
      present.all.add(endpoint);
      present.forgetBest();
    } else this.#all.set(id, new Rivals([present, endpoint]));
  }

  /** Removes this very record, if it is there. */
  remove(port: number, endpoint: Endpoint): void {
    const id = { address: endpoint.address, port };
    const present = this.#all.get(id);
    if (present === endpoint) {
      this.#all.delete(id);
      this.size--;
    } else if (present instanceof Rivals && present.all.delete(endpoint)) {
      this.size--;
      present.forgetBest();
      if (present.all.size === 0) this.#all.delete(id);
    }
  }

  /** All endpoints that count, with the port number that they have in common; `undefined` if they have none in common. */
  get ofOnePort(): EndpointsOfPort | undefined {
    const { onlyPort: port } = this.#all;
    if (port === undefined) return undefined;
    const realServers: Endpoint[] = [];
    this.forEachEndpoint((endpoint) => realServers.push(endpoint));
    return { port, realServers };
  }

  /** Visits each endpoint that counts, with its address and port. */
  forEach(visit: (endpoint: Endpoint, id: RealServerId) => void): void {
    this.#all.forEach((some, id) => {
      const best = this.#best(some);
      if (best !== undefined) visit(best, id);
    });
  }

  /** Visits each endpoint that counts, without its port. */
  forEachEndpoint(visit: (endpoint: Endpoint) => void): void {
    this.#all.forEachItem((some) => {
      const best = this.#best(some);
      if (best !== undefined) visit(best);
    });
  }

  #best(some: Endpoint | Rivals | undefined): Endpoint | undefined {
    return some instanceof Rivals ? some.best(this.#node) : some;
  }
}

/** Whether an endpoint, of two with one address and port, is the one that counts. Of equals the uid decides, so that order does not. */
function isFitter(endpoint: Endpoint, present: Endpoint, node: NodeTopology): boolean {
  const difference = fitness(endpoint) - fitness(present);
  if (difference !== 0) return difference > 0;
  if (endpoint.podUid === present.podUid) return isLocal(endpoint, node) && !isLocal(present, node);
  if (endpoint.podUid === unknownPod || present.podUid === unknownPod)
    return present.podUid === unknownPod;
  return endpoint.podUid < present.podUid;
}

function fitness({ ready, serving, terminating }: Endpoint): number {
  if (ready) return terminating ? 3 : 4;
  if (serving && terminating) return 2;
  return terminating ? 0 : 1;
}
