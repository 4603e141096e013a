import type { Endpoint } from './endpoint.ts';
import { isExternallyAccessible, type ServicePort } from './service.ts';

/** What topology knows of this node. */
export interface NodeTopology {
  readonly nodeName: string;
  /** '' if unknown. */
  readonly zone: string;
}

/** The endpoints of one service port by the traffic that may use them. */
export interface EndpointChoice {
  /** For traffic with the policy Cluster; `undefined` if no traffic of this port has it. */
  readonly cluster: readonly Endpoint[] | undefined;
  /** For traffic with the policy Local; `undefined` if no traffic of this port has it. */
  readonly local: readonly Endpoint[] | undefined;
  /** Whether any endpoint anywhere could serve. */
  readonly hasAny: boolean;
}

/** Chooses among the endpoints of a service port: readiness, termination, hints and traffic policies. */
export function chooseEndpoints(
  endpoints: readonly Endpoint[],
  { port, node }: { port: ServicePort; node: NodeTopology },
): EndpointChoice {
  const usesCluster = !port.isInternalPolicyLocal || isExternallyAccessible(port);
  const usesLocal =
    port.isInternalPolicyLocal || (port.isExternalPolicyLocal && isExternallyAccessible(port));
  const cluster = usesCluster ? readyOrDraining(endpoints, hintsFor(endpoints, node)) : undefined;
  const local = usesLocal ? readyOrDraining(endpoints.filter(({ isLocal }) => isLocal)) : undefined;
  const hasAny = (cluster?.length ?? 0) > 0 || (usesLocal && endpoints.some(canServe));
  return { cluster, local, hasAny };
}

type Availability = (endpoint: Endpoint) => boolean;

/** The ready ones that are available; if there are none, those that still serve while they terminate. */
function readyOrDraining(
  endpoints: readonly Endpoint[],
  isAvailable: Availability = () => true,
): readonly Endpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready && isAvailable(endpoint));
  return ready.length > 0 ? ready : endpoints.filter(servesTerminating);
}

function servesTerminating({ serving, terminating }: Endpoint): boolean {
  return serving && terminating;
}

function canServe(endpoint: Endpoint): boolean {
  return endpoint.ready || servesTerminating(endpoint);
}

/** Hints count only if every ready endpoint has them and one of them means this node or its zone. */
function hintsFor(endpoints: readonly Endpoint[], { nodeName, zone }: NodeTopology): Availability {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  const all = (test: Availability) => ready.length > 0 && ready.every(test);
  const forNode: Availability = ({ nodeHints }) => nodeHints.includes(nodeName);
  const forZone: Availability = ({ zoneHints }) => zoneHints.includes(zone);
  if (all(({ nodeHints }) => nodeHints.length > 0) && ready.some(forNode)) return forNode;
  if (zone !== '' && all(({ zoneHints }) => zoneHints.length > 0) && ready.some(forZone))
    return forZone;
  return () => true;
}
