import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { PortEndpoints } from './endpoint.ts';
import type { AlikeRealServers, Policy, RealServers, WantedRealServer } from './real-servers.ts';
import type { ServingEndpoints } from './udp-front-end.ts';

/** The endpoints of a service port, and the real servers that each policy selects. */
interface Chooser {
  readonly capacity: number;
  isFallback(policy: Policy): boolean;
  allWanted(policy: Policy): readonly WantedRealServer[];
  alike(policy: Policy): AlikeRealServers | undefined;
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
  readonly #realServers: Chooser;
  readonly #policy: Policy;

  constructor(realServers: Chooser, policy: Policy) {
    this.#realServers = realServers;
    this.#policy = policy;
  }

  get capacity(): number {
    return this.#realServers.capacity;
  }

  get isFallback(): boolean {
    return this.#realServers.isFallback(this.#policy);
  }

  get(id: RealServerId): WantedRealServer | undefined {
    return this.#realServers.wanted(id, this.#policy);
  }

  values(): readonly WantedRealServer[] {
    return this.#realServers.allWanted(this.#policy);
  }

  alike(): AlikeRealServers | undefined {
    return this.#realServers.alike(this.#policy);
  }
}

/**
 * The endpoints that serve, as they are whenever it is asked. Where none does, those that served and vanished a moment ago: an
 * endpoint that only moves to another slice loses nothing.
 */
export class Serving implements ServingEndpoints {
  readonly source: object;
  readonly #realServers: ServingSource;

  constructor(realServers: ServingSource) {
    this.source = realServers;
    this.#realServers = realServers;
  }

  get size(): number {
    return this.#realServers.servingCount;
  }

  has(id: RealServerId): boolean {
    return this.#realServers.servingFrom?.get(id)?.serving === true;
  }

  [Symbol.iterator](): Iterator<RealServerId> {
    const all: RealServerId[] = [];
    this.#realServers.servingFrom?.forEach(({ serving }, id) => {
      if (serving) all.push(id);
    });
    return all.values();
  }
}
