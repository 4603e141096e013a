import type { Family } from '../../ip/address.ts';
import type { Protocol } from '../../ip/protocol.ts';
import type { EndpointPort, EndpointSlice } from '../../kube/types.ts';
import { PortEndpoints } from './endpoint.ts';
import type { NodeTopology } from './topology.ts';

/** Which endpoints of a Service are requested. */
export interface EndpointQuery {
  readonly family: Family;
  readonly portName: string;
  readonly protocol: Protocol;
}

/** A port of a slice. */
interface SlicePort {
  readonly slice: EndpointSlice;
  readonly port: EndpointPort;
}

/** After so many endpoints, or ports of slices, a step ends. */
const stepSize = 500;
/** Up to so many ports of slices are searched one by one. */
const few = 8;

const none: readonly never[] = Object.freeze([]);

/** The slices of a Service by port, so that only the slices with a port are read for it. */
export class SliceIndex {
  #few: readonly SlicePort[] = none;
  #byPort: Map<string, SlicePort[]> | undefined;

  /** Adds slices. Yields between steps. */
  *add(slices: readonly EndpointSlice[]): Generator<undefined, this> {
    let count = 0;
    for (const slice of slices) {
      for (const port of slice.ports) {
        this.#add({ slice, port });
        if (++count % stepSize === 0) yield undefined;
      }
    }
    return this;
  }

  /** Adds slices that have so few ports that one step is enough. False if they have more. */
  addFew(slices: readonly EndpointSlice[]): boolean {
    let count = 0;
    for (const { ports } of slices) count += ports.length;
    if (count > stepSize) return false;
    for (const slice of slices) for (const port of slice.ports) this.#add({ slice, port });
    return true;
  }

  /** How many endpoints the slices name for a port, duplicates included. */
  count(query: EndpointQuery): number {
    let count = 0;
    for (const { slice } of this.#of(query)) count += slice.endpoints.length;
    return count;
  }

  /** The endpoints of one port that has so few of them that one step is enough; `undefined` if there are more. */
  endpointsOfFew(query: EndpointQuery, node: NodeTopology): PortEndpoints | undefined {
    if (this.count(query) > stepSize) return undefined;
    const found = new PortEndpoints(node);
    for (const { slice, port } of this.#of(query)) addAll(found, { slice, port: port.port });
    return found;
  }

  /** The endpoints of one port. Yields between steps. */
  *endpointsOf(query: EndpointQuery, node: NodeTopology): Generator<undefined, PortEndpoints> {
    const found = new PortEndpoints(node);
    let count = 0;
    for (const { slice, port } of this.#of(query)) {
      for (const endpoint of slice.endpoints) {
        found.add(port.port, endpoint);
        if (++count % stepSize === 0) yield undefined;
      }
    }
    return found;
  }

  #add(added: SlicePort): void {
    if (this.#byPort === undefined && this.#few.length < few) {
      this.#few = [...this.#few, added];
      return;
    }
    this.#byPort ??= Map.groupBy(this.#few, keyOf);
    const known = this.#byPort.get(keyOf(added));
    if (known === undefined) this.#byPort.set(keyOf(added), [added]);
    else known.push(added);
  }

  #of(query: EndpointQuery): readonly SlicePort[] {
    if (this.#byPort !== undefined) return this.#byPort.get(queryKey(query)) ?? none;
    // Mostly there is one port, that of the query.
    if (this.#few.every((some) => isMeant(some, query))) return this.#few;
    return this.#few.filter((some) => isMeant(some, query));
  }
}

function addAll(
  found: PortEndpoints,
  { slice, port }: { slice: EndpointSlice; port: number },
): void {
  if (found.addAll(port, slice.endpoints)) return;
  for (const endpoint of slice.endpoints) found.add(port, endpoint);
}

function isMeant({ slice, port }: SlicePort, query: EndpointQuery): boolean {
  return (
    slice.family === query.family &&
    port.protocol === query.protocol &&
    port.name === query.portName
  );
}

function keyOf({ slice, port }: SlicePort): string {
  return queryKey({ family: slice.family, portName: port.name, protocol: port.protocol });
}

/** A map key for a port of a Service as its slices name it: `IPv4 TCP http`. */
export function queryKey({ family, portName, protocol }: EndpointQuery): string {
  return `${family} ${protocol} ${portName}`;
}
