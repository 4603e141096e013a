import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { ServiceOptions } from '../../kube/annotations.ts';
import type { EndpointDifference } from './endpoint-difference.ts';
import type {
  Footprint,
  FootprintChange,
  LocalLack,
  NodeContext,
  OwnedFrontEnd,
  SetEntry,
} from './footprint.ts';
import { frontEndCount, frontEndsOf, hairpin, udpFrontEndsOf } from './front-ends.ts';
import type { PortRealServers } from './port-real-servers.ts';
import type { Owner, ServicePort } from './service.ts';
import type { UdpFrontEnd } from './udp-front-end.ts';

/** The footprint of one port of a Service. Its front ends stay the same; their real servers follow its endpoints. */
export class PortFootprint implements Footprint {
  readonly port: ServicePort;
  /** Whether the Service has too many real servers, so that this port gets none. */
  readonly isCutOff: boolean;
  /** A single one, as most ports have, is kept without a list. */
  readonly #frontEnds: OwnedFrontEnd | readonly OwnedFrontEnd[];
  readonly #realServers: PortRealServers;
  #udpFrontEnds: readonly UdpFrontEnd[];
  readonly #frontEndCount: number;

  constructor(
    port: ServicePort,
    {
      node,
      options,
      realServers,
      isCutOff,
    }: {
      node: NodeContext;
      options: ServiceOptions;
      realServers: PortRealServers;
      isCutOff: boolean;
    },
  ) {
    this.port = port;
    this.isCutOff = isCutOff;
    this.#realServers = realServers;
    this.#frontEndCount = frontEndCount(port, node);
    const frontEnds = frontEndsOf(port, { node, realServers, options });
    const [first] = frontEnds;
    this.#frontEnds = frontEnds.length === 1 && first !== undefined ? first : frontEnds;
    this.#udpFrontEnds = udpFrontEndsOf(port, { node, realServers });
  }

  get owner(): Owner {
    return this.port.service;
  }

  get frontEnds(): readonly OwnedFrontEnd[] {
    return isList(this.#frontEnds) ? this.#frontEnds : [this.#frontEnds];
  }

  /** How many real servers its front ends may have together. */
  get size(): number {
    return this.#realServers.size * this.#frontEndCount;
  }

  get udpFrontEnds(): readonly UdpFrontEnd[] {
    return this.#udpFrontEnds;
  }

  get hairpins(): readonly SetEntry[] {
    return this.#hairpinsOf(this.#realServers.local);
  }

  get withoutLocalEndpoints(): ReadonlySet<LocalLack> {
    return this.#realServers.lacksLocal ? localLacks(this.port) : noLacks;
  }

  /** Applies a difference of endpoints. */
  apply(difference: EndpointDifference): FootprintChange {
    const lacked = this.withoutLocalEndpoints;
    const served = this.#udpFrontEnds;
    const { ids, policies, becameLocal, ceasedLocal, changesServing } =
      this.#realServers.apply(difference);
    if (changesServing) this.#udpFrontEnds = served.map((one) => this.#servedAnew(one));
    return {
      ids,
      policies,
      hairpins: {
        before: this.#hairpinsOf(ceasedLocal),
        after: this.#hairpinsOf(becameLocal),
      },
      withoutLocalEndpoints: { before: lacked, after: this.withoutLocalEndpoints },
      udpFrontEnds: { before: served, after: this.#udpFrontEnds },
    };
  }

  #servedAnew(frontEnd: UdpFrontEnd): UdpFrontEnd {
    return { ...frontEnd, endpoints: this.#realServers.serving };
  }

  #hairpinsOf(ids: readonly RealServerId[]): readonly SetEntry[] {
    return ids.length === 0 ? none : ids.map((id) => hairpin(id, this.port));
  }
}

/** How many of some ports get no real servers, as their Service has too many. */
export function cutOffCount(ports: readonly Footprint[]): number {
  return ports.filter((port) => port instanceof PortFootprint && port.isCutOff).length;
}

function isList<Item extends object>(some: Item | readonly Item[]): some is readonly Item[] {
  return Array.isArray(some);
}

const none: readonly never[] = Object.freeze([]);
const noLacks: ReadonlySet<never> = new Set();

function localLacks(port: ServicePort): ReadonlySet<LocalLack> {
  const lacks = new Set<LocalLack>();
  if (port.isInternalPolicyLocal) lacks.add(`internal ${port.family}`);
  if (port.isExternalPolicyLocal) lacks.add(`external ${port.family}`);
  return lacks;
}
