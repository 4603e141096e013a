import type { IpAddress } from '../../ip/address.ts';
import type { Endpoint, EndpointSlice } from '../../kube/types.ts';

/** Up to so many searches go through the list; for more an index is made. */
const fewSearches = 8;

/**
 * A slice with the records of its last state in place of equal new ones. So an endpoint that did not change is the same object, and
 * two states are compared by reference.
 */
export function withKnownRecords(slice: EndpointSlice, last: EndpointSlice): EndpointSlice {
  const known = new KnownRecords(last.endpoints);
  const endpoints = slice.endpoints.map((endpoint, index) => {
    const there = last.endpoints[index];
    return there !== undefined && isSameRecord(endpoint, there) ? there : known.find(endpoint);
  });
  return { ...slice, endpoints };
}

/** The records of one list that the other does not have. */
export function recordsOnlyIn(
  some: readonly Endpoint[],
  others: readonly Endpoint[],
): readonly Endpoint[] {
  if (some === others) return none;
  if (others.length === 0) return some;
  let searches = 0;
  let all: Set<Endpoint> | undefined;
  let only: Endpoint[] | undefined;
  some.forEach((endpoint, index) => {
    if (others[index] === endpoint) return;
    if (++searches > fewSearches) all ??= new Set(others);
    const isThere = all === undefined ? others.includes(endpoint) : all.has(endpoint);
    if (isThere) return;
    if (only === undefined) only = [endpoint];
    else only.push(endpoint);
  });
  return only ?? none;
}

const none: readonly never[] = Object.freeze([]);

/** Finds known records that equal new ones. */
class KnownRecords {
  readonly #records: readonly Endpoint[];
  #byAddress: Map<IpAddress, Endpoint[]> | undefined;
  #searches = 0;

  constructor(records: readonly Endpoint[]) {
    this.#records = records;
  }

  find(endpoint: Endpoint): Endpoint {
    return this.#candidates(endpoint).find((some) => isSameRecord(endpoint, some)) ?? endpoint;
  }

  #candidates({ address }: Endpoint): readonly Endpoint[] {
    if (++this.#searches <= fewSearches) return this.#records;
    this.#byAddress ??= Map.groupBy(this.#records, (record) => record.address);
    return this.#byAddress.get(address) ?? [];
  }
}

function isSameRecord(one: Endpoint, other: Endpoint): boolean {
  return (
    one.address === other.address &&
    one.podUid === other.podUid &&
    one.ready === other.ready &&
    one.serving === other.serving &&
    one.terminating === other.terminating &&
    one.nodeName === other.nodeName &&
    isSameList(one.zoneHints, other.zoneHints) &&
    isSameList(one.nodeHints, other.nodeHints)
  );
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  if (one === other) return true;
  // By index: a closure would cost memory at each call, and most lists are the same object.
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
