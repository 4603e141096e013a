import type { Family } from '../../ip/address.ts';
import type { Protocol } from '../../ip/protocol.ts';
import type { EndpointSlice } from '../../kube/types.ts';
import { PortEndpoints } from './endpoint.ts';
import type { NodeTopology } from './topology.ts';

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

/** The slices of a Service by port: each is looked at for the ports that it names, and for no others. */
export class SliceIndex {
  readonly #slicesByPort = new Map<string, NumberedSlice[]>();

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

  /** The endpoints of one port. Yields between steps. */
  *endpointsOf(query: EndpointQuery, node: NodeTopology): Generator<undefined, PortEndpoints> {
    const found = new PortEndpoints(node);
    let count = 0;
    for (const { slice, port } of this.#slicesByPort.get(queryKey(query)) ?? []) {
      if (found.addAll(port, slice.endpoints)) continue;
      for (const endpoint of slice.endpoints) {
        found.add(port, endpoint);
        if (++count % stepSize === 0) yield undefined;
      }
    }
    return found;
  }
}

/** A map key for a port of a Service as its slices name it: `IPv4 TCP http`. */
export function queryKey({ family, portName, protocol }: EndpointQuery): string {
  return `${family} ${protocol} ${portName}`;
}
