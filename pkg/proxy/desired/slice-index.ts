import type { EndpointPort, EndpointSlice } from '../../kube/types.ts';
import { PortEndpoints } from './endpoint.ts';
import { PortMap } from './port-map.ts';
import type { PortName } from './port-name.ts';
import type { NodeTopology } from './topology.ts';

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
  readonly #few: SlicePort[] = [];
  #byPort: PortMap<SlicePort[]> | undefined;
  /** The last answer, as each port is asked for several times. */
  #last: { readonly wanted: PortName; readonly found: readonly SlicePort[] } | undefined;

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
  count(wanted: PortName): number {
    let count = 0;
    for (const { slice } of this.#of(wanted)) count += slice.endpoints.length;
    return count;
  }

  /** The endpoints of one port that has so few of them that one step is enough; `undefined` if there are more. */
  endpointsOfFew(wanted: PortName, node: NodeTopology): PortEndpoints | undefined {
    if (this.count(wanted) > stepSize) return undefined;
    const found = new PortEndpoints(node);
    for (const { slice, port } of this.#of(wanted)) addAll(found, { slice, port: port.port });
    return found;
  }

  /** The endpoints of one port. Yields between steps. */
  *endpointsOf(wanted: PortName, node: NodeTopology): Generator<undefined, PortEndpoints> {
    const found = new PortEndpoints(node);
    let count = 0;
    for (const { slice, port } of this.#of(wanted)) {
      for (const endpoint of slice.endpoints) {
        found.add(port.port, endpoint);
        if (++count % stepSize === 0) yield undefined;
      }
    }
    return found;
  }

  #add(added: SlicePort): void {
    this.#last = undefined;
    if (this.#byPort === undefined && this.#few.length < few) {
      this.#few.push(added);
      return;
    }
    if (this.#byPort === undefined) {
      this.#byPort = new PortMap();
      for (const one of this.#few) addTo(this.#byPort, one);
    }
    addTo(this.#byPort, added);
  }

  #of(wanted: PortName): readonly SlicePort[] {
    if (this.#byPort !== undefined) return this.#byPort.get(wanted) ?? none;
    if (this.#last?.wanted === wanted) return this.#last.found;
    const found = onlyMeant(this.#few, wanted);
    this.#last = { wanted, found };
    return found;
  }
}

function addAll(
  found: PortEndpoints,
  { slice, port }: { slice: EndpointSlice; port: number },
): void {
  if (found.addAll(port, slice.endpoints)) return;
  for (const endpoint of slice.endpoints) found.add(port, endpoint);
}

/** Mostly there is one port, the wanted one. */
function onlyMeant(some: readonly SlicePort[], wanted: PortName): readonly SlicePort[] {
  for (let at = 0; at < some.length; at++)
    if (!isMeant(some[at] as SlicePort, wanted)) return some.filter((one) => isMeant(one, wanted));
  return some;
}

function isMeant({ slice, port }: SlicePort, wanted: PortName): boolean {
  return (
    slice.family === wanted.family && port.protocol === wanted.protocol && port.name === wanted.name
  );
}

function addTo(all: PortMap<SlicePort[]>, added: SlicePort): void {
  const { slice, port } = added;
  const name = { family: slice.family, protocol: port.protocol, name: port.name };
  const known = all.get(name);
  if (known === undefined) all.set(name, [added]);
  else known.push(added);
}
