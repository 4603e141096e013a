import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { PortEndpoints } from './endpoint.ts';
import type { Policy, RealServers, WantedRealServer } from './real-servers.ts';
import type { ServingEndpoints } from './udp-front-end.ts';

/** The endpoints of a service port, and the real servers that each policy selects. */
interface Chooser {
  readonly capacity: number;
  isFallback(policy: Policy): boolean;
  allWanted(policy: Policy): readonly WantedRealServer[];
  wanted(id: RealServerId, policy: Policy): WantedRealServer | undefined;
}

/** The endpoints of a service port, for the question which of them serve. */
interface ServingSource {
  /** The endpoints that include all serving ones. */
  readonly servingFrom: PortEndpoints | undefined;
  readonly servingCount: number;
}

/** A live view of the real servers of a policy: it always shows the current ones. */
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
  readonly #servers: ServingSource;

  constructor(servers: ServingSource) {
    this.source = servers;
    this.#servers = servers;
  }

  get size(): number {
    return this.#servers.servingCount;
  }

  has(id: RealServerId): boolean {
    return this.#servers.servingFrom?.get(id)?.serving === true;
  }

  [Symbol.iterator](): Iterator<RealServerId> {
    const all: RealServerId[] = [];
    this.#servers.servingFrom?.forEach(({ serving }, id) => {
      if (serving) all.push(id);
    });
    return all.values();
  }
}
