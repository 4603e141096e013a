import type { Family, IpAddress } from '../../ip/address.ts';
import type { Protocol } from '../../ip/protocol.ts';
import { realServerKey } from '../../ipvs/ipvs.ts';
import type { EndpointSlice, Endpoint as SliceEndpoint } from '../../kube/types.ts';

/** One address and port that serves a service port. */
export interface Endpoint {
  /** Of the real server that it becomes. */
  readonly key: string;
  readonly address: IpAddress;
  readonly port: number;
  /** On this node. */
  readonly isLocal: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
  /** '' if unknown. */
  readonly podUid: string;
}

/** Which endpoints of a Service are meant. */
export interface EndpointQuery {
  readonly family: Family;
  readonly portName: string;
  readonly protocol: Protocol;
}

/** A slice that names a port, and the number that it gives to it. */
interface NumberedSlice {
  readonly slice: EndpointSlice;
  readonly port: number;
}

/** After so many endpoints, or ports of slices, others get a turn. */
const stepSize = 500;

/** The endpoints of a Service by port: each of its slices is looked at for the ports that it names, and for no others. */
export class EndpointIndex {
  readonly #nodeName: string;
  readonly #slicesByPort = new Map<string, NumberedSlice[]>();

  constructor({ nodeName }: { readonly nodeName: string }) {
    this.#nodeName = nodeName;
  }

  /** Takes slices in. Yields between steps. */
  *add(slices: Iterable<EndpointSlice>): Generator<undefined, this> {
    let count = 0;
    for (const slice of slices) {
      for (const { name: portName, protocol, port } of slice.ports) {
        const key = queryKey({ family: slice.family, portName, protocol });
        const numbered = this.#slicesByPort.get(key);
        if (numbered === undefined) this.#slicesByPort.set(key, [{ slice, port }]);
        else numbered.push({ slice, port });
        if (++count % stepSize === 0) yield undefined;
      }
    }
    return this;
  }

  /** How many endpoints the slices name for a port, duplicates included. */
  count(query: EndpointQuery): number {
    const slices = this.#slicesByPort.get(queryKey(query)) ?? [];
    return slices.reduce((sum, { slice }) => sum + slice.endpoints.length, 0);
  }

  /**
   * The endpoints of one port: one for each address and port, of several the one that is most fit to serve, in whichever order
   * they come. Yields between steps.
   */
  *endpointsOf(query: EndpointQuery): Generator<undefined, readonly Endpoint[]> {
    const found = new Map<string, Endpoint>();
    let count = 0;
    for (const { slice, port } of this.#slicesByPort.get(queryKey(query)) ?? []) {
      for (const some of slice.endpoints) {
        const endpoint = toEndpoint(some, { port, nodeName: this.#nodeName });
        const present = found.get(endpoint.key);
        if (present === undefined || isFitter(endpoint, present)) found.set(endpoint.key, endpoint);
        if (++count % stepSize === 0) yield undefined;
      }
    }
    return [...found.values()];
  }
}

function queryKey({ family, portName, protocol }: EndpointQuery): string {
  return `${family} ${protocol} ${portName}`;
}

/** Whether an endpoint, of two with one address and port, is the one that counts. Of equals the uid decides, so that order does not. */
function isFitter(endpoint: Endpoint, present: Endpoint): boolean {
  const difference = fitness(endpoint) - fitness(present);
  if (difference !== 0) return difference > 0;
  if (endpoint.podUid === present.podUid) return endpoint.isLocal && !present.isLocal;
  if (endpoint.podUid === '' || present.podUid === '') return present.podUid === '';
  return endpoint.podUid < present.podUid;
}

function fitness({ ready, serving, terminating }: Endpoint): number {
  if (ready) return terminating ? 3 : 4;
  if (serving && terminating) return 2;
  return terminating ? 0 : 1;
}

function toEndpoint(
  endpoint: SliceEndpoint,
  { port, nodeName }: { port: number; nodeName: string },
): Endpoint {
  const { address, ready, serving, terminating, zoneHints, nodeHints, podUid } = endpoint;
  const key = realServerKey({ address, port });
  const isLocal = nodeName !== '' && endpoint.nodeName === nodeName;
  return { key, address, port, isLocal, ready, serving, terminating, zoneHints, nodeHints, podUid };
}
