import { type Family, type IpAddress, printHostPort } from '../ip/address.ts';
import type { Protocol } from '../ip/protocol.ts';
import type { EndpointSlice, Endpoint as SliceEndpoint } from '../kube/types.ts';

/** One address and port that serves a service port. */
export interface Endpoint {
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
  readonly nodeName: string;
}

/** A map key for an endpoint: `address:port`. */
export function endpointKey({
  address,
  port,
}: {
  readonly address: IpAddress;
  readonly port: number;
}): string {
  return printHostPort(address, port);
}

/**
 * The endpoints that some slices give to one service port: one for each address and port, in the order
 * of that text. Of two, the first wins, unless it is the only one of them that terminates.
 */
export function endpointsOf(
  slices: Iterable<EndpointSlice>,
  query: EndpointQuery,
): readonly Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const slice of slices) {
    if (slice.family !== query.family) continue;
    for (const { name, protocol, port } of slice.ports) {
      if (name !== query.portName || protocol !== query.protocol) continue;
      for (const endpoint of slice.endpoints)
        collect(found, fromSlice(endpoint, { port, nodeName: query.nodeName }));
    }
  }
  return [...found]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, endpoint]) => endpoint);
}

function collect(found: Map<string, Endpoint>, endpoint: Endpoint): void {
  const key = endpointKey(endpoint);
  const present = found.get(key);
  if (present === undefined || (present.terminating && !endpoint.terminating))
    found.set(key, endpoint);
}

function fromSlice(
  endpoint: SliceEndpoint,
  { port, nodeName }: { port: number; nodeName: string },
): Endpoint {
  const { address, ready, serving, terminating, zoneHints, nodeHints, podUid } = endpoint;
  const isLocal = nodeName !== '' && endpoint.nodeName === nodeName;
  return { address, port, isLocal, ready, serving, terminating, zoneHints, nodeHints, podUid };
}
