import type { IpAddress } from '../../ip/address.ts';
import type { Endpoint, EndpointSlice } from '../../kube/types.ts';

/**
 * A slice as it came, with the records of its last state in the place of those that say the same: from then on an endpoint that
 * did not change is the same record, and a comparison of two states costs nothing but a look at each.
 */
export function withKnownRecords(slice: EndpointSlice, last: EndpointSlice): EndpointSlice {
  let known: Map<IpAddress, Endpoint[]> | undefined;
  const endpoints = slice.endpoints.map((endpoint, index) => {
    const there = last.endpoints[index];
    if (there !== undefined && isSameRecord(endpoint, there)) return there;
    known ??= Map.groupBy(last.endpoints, ({ address }) => address);
    return known.get(endpoint.address)?.find((some) => isSameRecord(endpoint, some)) ?? endpoint;
  });
  return { ...slice, endpoints };
}

/** The records of one list that another one does not have. */
export function recordsOnlyIn(
  some: readonly Endpoint[],
  others: readonly Endpoint[],
): readonly Endpoint[] {
  if (some === others) return [];
  let all: Set<Endpoint> | undefined;
  return some.filter((endpoint, index) => {
    if (others[index] === endpoint) return false;
    all ??= new Set(others);
    return !all.has(endpoint);
  });
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
  return one.length === other.length && one.every((text, index) => text === other[index]);
}
