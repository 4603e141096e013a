import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { PortEndpoints } from './endpoint.ts';
import type { Policy, RealServers, WantedRealServer } from './real-servers.ts';
import type { EndpointCounts } from './topology.ts';
import type { ServingEndpoints } from './udp-front-end.ts';

/** The endpoints of a service port, and what each policy makes of them. */
interface Chooser {
  readonly capacity: number;
  isFallback(policy: Policy): boolean;
  allWanted(policy: Policy): readonly WantedRealServer[];
  wanted(id: RealServerId, policy: Policy): WantedRealServer | undefined;
}

/** The real servers of a policy, as they are whenever it is asked. */
export class ChosenRealServers implements RealServers {
  readonly #servers: Chooser;
  readonly #policy: Policy;

  constructor(servers: Chooser, policy: Policy) {
    this.#servers = servers;
    this.#policy = policy;
  }

  get capacity(): number {
    return this.#servers.capacity;
  }

  get isFallback(): boolean {
    return this.#servers.isFallback(this.#policy);
  }

  get(id: RealServerId): WantedRealServer | undefined {
    return this.#servers.wanted(id, this.#policy);
  }

  values(): readonly WantedRealServer[] {
    return this.#servers.allWanted(this.#policy);
  }
}

/**
 * The endpoints that serve, as they are whenever it is asked. Where none does, those that served and vanished a moment ago: an
 * endpoint that only moves to another slice loses nothing.
 */
export class Serving implements ServingEndpoints {
  readonly source: object;
  readonly #present: PortEndpoints;
  readonly #vanished: PortEndpoints;
  readonly #counts: EndpointCounts;

  constructor({
    source,
    present,
    vanished,
    counts,
  }: {
    source: object;
    present: PortEndpoints;
    vanished: PortEndpoints;
    counts: EndpointCounts;
  }) {
    this.source = source;
    this.#present = present;
    this.#vanished = vanished;
    this.#counts = counts;
  }

  get size(): number {
    return this.#counts.serving > 0 ? this.#counts.serving : [...this].length;
  }

  has(id: RealServerId): boolean {
    return this.#endpoints.get(id)?.serving === true;
  }

  *[Symbol.iterator](): Generator<RealServerId> {
    for (const [id, { serving }] of this.#endpoints) if (serving) yield id;
  }

  get #endpoints(): PortEndpoints {
    return this.#counts.serving > 0 ? this.#present : this.#vanished;
  }
}
