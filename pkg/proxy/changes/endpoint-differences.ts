import type { EndpointSlice } from '../../kube/types.ts';
import type { EndpointDifference, PortRecord } from '../desired/endpoint-difference.ts';
import { queryKey } from '../desired/slice-index.ts';
import type { ServiceChanges } from './service-changes.ts';
import { recordsOnlyIn } from './slice-difference.ts';

/** With more records than this that differ, a Service is entered as a whole, which is done in steps. */
const differenceLimit = 1_000;

type Difference = { -readonly [Kind in keyof EndpointDifference]: readonly PortRecord[] };

/**
 * The endpoints that differ, by part of the Service (`portKey`); `undefined` if they are too many. A part that a slice has and the
 * Service does not have is included.
 */
export function endpointDifferences(
  changes: ServiceChanges,
): ReadonlyMap<string, EndpointDifference> | undefined {
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
  return differences.isTooMuch ? undefined : differences.byPart;
}

class Differences {
  readonly byPart = new Map<string, Difference>();
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
    for (const { name: portName, protocol, port } of slice.ports) {
      const difference = this.#of(queryKey({ family: slice.family, portName, protocol }));
      const records = endpoints.map((endpoint) => ({ port, endpoint }));
      const before = difference[kind];
      difference[kind] = before.length === 0 ? records : before.concat(records);
    }
  }

  #of(part: string): Difference {
    const known = this.byPart.get(part);
    if (known !== undefined) return known;
    const made = { added: none, removed: none, vanished: none, unvanished: none };
    this.byPart.set(part, made);
    return made;
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
