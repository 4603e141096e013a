import type { Endpoint, EndpointTraits } from '../../kube/types.ts';
import { isExternallyAccessible, type ServicePort } from './service.ts';

/** What topology knows of this node. */
export interface NodeTopology {
  readonly nodeName: string;
  /** '' if unknown. */
  readonly zone: string;
}

/** Which endpoints of a service port serve some traffic; `none` if no endpoint does. */
export type Selector =
  | 'none'
  | 'ready'
  | 'readyForNode'
  | 'readyForZone'
  | 'terminating'
  | 'localReady'
  | 'localTerminating';

/** The endpoints of one service port by the traffic that may use them. */
export interface EndpointChoice {
  /** For traffic with the policy Cluster; `undefined` if no traffic of this port has it. */
  readonly cluster: Selector | undefined;
  /** For traffic with the policy Local; `undefined` if no traffic of this port has it. */
  readonly local: Selector | undefined;
  /** Whether any endpoint anywhere could serve. */
  readonly hasAny: boolean;
}

/** An endpoint that may keep what it shares with others as one object, which is cheaper where several of its properties are read. */
type WithTraits = Endpoint & { readonly traits?: EndpointTraits };

/** Whether an endpoint is on this node. */
export function isLocal(endpoint: Endpoint, { nodeName }: NodeTopology): boolean {
  return nodeName !== '' && endpoint.nodeName === nodeName;
}

/** How many endpoints of a service port there are of each sort: all that decides which of them serve. */
export class EndpointCounts {
  ready = 0;
  /** Ready ones with a hint for nodes, and with one for this node. */
  readyWithNodeHints = 0;
  readyForNode = 0;
  /** Ready ones with a hint for zones, and with one for this node's zone. */
  readyWithZoneHints = 0;
  readyForZone = 0;
  /** Those that serve while they terminate. */
  terminating = 0;
  localReady = 0;
  localTerminating = 0;
  /** Those that serve, and those on this node, whatever else. */
  serving = 0;
  local = 0;

  /** Counts an endpoint in, or out with -1. */
  add(endpoint: WithTraits, { node, by }: { node: NodeTopology; by: 1 | -1 }): void {
    const { ready, serving, terminating, nodeName, nodeHints, zoneHints } =
      endpoint.traits ?? endpoint;
    const isHere = nodeName === node.nodeName && nodeName !== '';
    if (serving) this.serving += by;
    if (isHere) this.local += by;
    if (serving && terminating) {
      this.terminating += by;
      if (isHere) this.localTerminating += by;
    }
    if (!ready) return;
    this.ready += by;
    if (isHere) this.localReady += by;
    if (nodeHints.length > 0) {
      this.readyWithNodeHints += by;
      if (nodeHints.includes(node.nodeName)) this.readyForNode += by;
    }
    if (zoneHints.length > 0) {
      this.readyWithZoneHints += by;
      if (zoneHints.includes(node.zone)) this.readyForZone += by;
    }
  }

  /** Counts an endpoint out and another one in, which takes its place. */
  replace(
    { from, to }: { from: Endpoint | undefined; to: Endpoint | undefined },
    node: NodeTopology,
  ): void {
    if (from === to) return;
    if (from !== undefined) this.add(from, { node, by: -1 });
    if (to !== undefined) this.add(to, { node, by: 1 });
  }

  /** The same counts, to be changed on their own. */
  copy(): EndpointCounts {
    return Object.assign(new EndpointCounts(), this);
  }
}

/** Whether some traffic of a port goes to endpoints of this node alone, or to them first. */
export function asksForLocal(port: ServicePort): boolean {
  if (port.isInternalPolicyLocal) return true;
  return port.isExternalPolicyLocal && isExternallyAccessible(port);
}

/** Chooses among the endpoints of a service port: readiness, termination, hints and traffic policies. */
export function chooseEndpoints(
  counts: EndpointCounts,
  { port, node }: { port: ServicePort; node: NodeTopology },
): EndpointChoice {
  const usesCluster = !port.isInternalPolicyLocal || isExternallyAccessible(port);
  return {
    cluster: usesCluster ? clusterSelector(counts, node) : undefined,
    local: asksForLocal(port) ? localSelector(counts) : undefined,
    hasAny: counts.ready > 0 || counts.terminating > 0,
  };
}

/** Whether only endpoints of this node are meant, if any. */
export function isAboutLocal(selector: Selector): boolean {
  return selector === 'none' || selector === 'localReady' || selector === 'localTerminating';
}

/** Whether an endpoint is among those that are meant. */
export function isSelected(selector: Selector, endpoint: Endpoint, node: NodeTopology): boolean {
  switch (selector) {
    case 'none':
      return false;
    case 'ready':
      return endpoint.ready;
    case 'readyForNode':
      return endpoint.ready && endpoint.nodeHints.includes(node.nodeName);
    case 'readyForZone':
      return endpoint.ready && endpoint.zoneHints.includes(node.zone);
    case 'terminating':
      return servesTerminating(endpoint);
    case 'localReady':
      return endpoint.ready && isLocal(endpoint, node);
    case 'localTerminating':
      return servesTerminating(endpoint) && isLocal(endpoint, node);
  }
}

/** The ready ones that are available; if there are none, those that still serve while they terminate. */
function clusterSelector(counts: EndpointCounts, { zone }: NodeTopology): Selector {
  const { ready, readyWithNodeHints, readyForNode, readyWithZoneHints, readyForZone } = counts;
  if (ready === 0) return counts.terminating > 0 ? 'terminating' : 'none';
  // Hints count only if every ready endpoint has them and one of them means this node or its zone.
  if (readyWithNodeHints === ready && readyForNode > 0) return 'readyForNode';
  if (zone !== '' && readyWithZoneHints === ready && readyForZone > 0) return 'readyForZone';
  return 'ready';
}

function localSelector({ localReady, localTerminating }: EndpointCounts): Selector {
  if (localReady > 0) return 'localReady';
  return localTerminating > 0 ? 'localTerminating' : 'none';
}

function servesTerminating({ serving, terminating }: Endpoint): boolean {
  return serving && terminating;
}
