import type { EndpointSlice } from '../../kube/types.ts';
import type { EndpointDifference, PortRecord } from '../desired/endpoint-difference.ts';
import type { NodeContext } from '../desired/footprint.ts';
import { PortMap } from '../desired/port-map.ts';
import type { PortName } from '../desired/port-name.ts';
import type { ServiceChanges } from './service-changes.ts';
import { recordsOnlyIn } from './slice-difference.ts';

/** With more records than this that differ, a Service is entered as a whole, which is done in steps. */
const differenceLimit = 1_000;

/** What differs at one port of a Service. */
export interface PortDifference {
  readonly port: PortName;
  readonly difference: EndpointDifference;
}

type Difference = { -readonly [Kind in keyof EndpointDifference]: readonly PortRecord[] };

/**
 * The endpoints that differ, by port of the Service; `undefined` if they are too many. A port that a slice has and the Service does
 * not have is included.
 */
export function endpointDifferences(
  changes: ServiceChanges,
): readonly PortDifference[] | undefined {
  const differences = new Differences();
  for (const { before, after } of changes.slices) {
    const isSamePorts = before !== undefined && after !== undefined && haveSamePorts(before, after);
    const last = before?.endpoints ?? [];
    const next = after?.endpoints ?? [];
    if (before !== undefined)
      differences.add('removed', {
        slice: before,
        endpoints: isSamePorts ? recordsOnlyIn(last, next) : last,
      });
    if (after !== undefined)
      differences.add('added', {
        slice: after,
        endpoints: isSamePorts ? recordsOnlyIn(next, last) : next,
      });
  }
  for (const slice of changes.vanished)
    differences.add('vanished', { slice, endpoints: slice.endpoints });
  for (const slice of changes.unvanished)
    differences.add('unvanished', { slice, endpoints: slice.endpoints });
  return differences.isTooMuch ? undefined : differences.all;
}

/** Whether some of the endpoints that differ are on this node. */
export function isAboutNode(
  { added, removed }: EndpointDifference,
  { nodeName }: NodeContext,
): boolean {
  const isHere = ({ endpoint }: PortRecord) => endpoint.nodeName === nodeName;
  return added.some(isHere) || removed.some(isHere);
}

class Differences {
  readonly all: PortDifference[] = [];
  readonly #byPort = new PortMap<Difference>();
  #count = 0;

  get isTooMuch(): boolean {
    return this.#count > differenceLimit;
  }

  add(
    kind: keyof EndpointDifference,
    { slice, endpoints }: { slice: EndpointSlice; endpoints: EndpointSlice['endpoints'] },
  ): void {
    this.#count += endpoints.length * slice.ports.length;
    if (endpoints.length === 0 || this.isTooMuch) return;
    for (const { name, protocol, port } of slice.ports) {
      const difference = this.#of({ family: slice.family, protocol, name });
      const records = endpoints.map((endpoint) => ({ port, endpoint }));
      const before = difference[kind];
      difference[kind] = before.length === 0 ? records : before.concat(records);
    }
  }

  #of(port: PortName): Difference {
    const known = this.#byPort.get(port);
    if (known !== undefined) return known;
    const difference = { added: none, removed: none, vanished: none, unvanished: none };
    this.#byPort.set(port, difference);
    this.all.push({ port, difference });
    return difference;
  }
}

const none: readonly never[] = Object.freeze([]);

/** Whether two slices have the same ports in the same order. */
function haveSamePorts(one: EndpointSlice, other: EndpointSlice): boolean {
  return (
    one.family === other.family &&
    one.ports.length === other.ports.length &&
    one.ports.every(({ name, protocol, port }, index) => {
      const there = other.ports[index];
      return name === there?.name && protocol === there.protocol && port === there.port;
    })
  );
}
