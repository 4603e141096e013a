import type { Family, IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { Protocol } from '../ip/protocol.ts';

/** Who an object is. Nodes have an empty namespace. */
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

/** Which endpoints a kind of traffic may use. */
export type TrafficPolicy = 'Cluster' | 'Local';

/** `spec.ports[]` of a Service. */
export interface ServicePortSpec {
  /** '' for an unnamed port. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** 0 for none. */
  readonly nodePort: number;
}

/** core/v1 Service, reduced to what is read. */
export interface Service extends ObjectName {
  readonly uid: string;
  /** `metadata.creationTimestamp` in milliseconds since 1970, 0 if unknown. */
  readonly created: number;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** At most one of each family; none for a headless Service. */
  readonly clusterIPs: readonly IpAddress[];
  readonly ports: readonly ServicePortSpec[];
  /** `sessionAffinity: ClientIP`: for how many seconds; 0 for no affinity. */
  readonly affinitySeconds: number;
  readonly externalIPs: readonly IpAddress[];
  /** `status.loadBalancer.ingress[].ip` with ipMode VIP or unset. */
  readonly loadBalancerIPs: readonly IpAddress[];
  readonly sourceRanges: readonly Prefix[];
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly internalTrafficPolicy: TrafficPolicy;
  /** 0 for none. */
  readonly healthCheckNodePort: number;
  /** Those under `ipvs.kube-proxy.io/` only, without that prefix. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** What the load balancer of a Service of type LoadBalancer with `externalTrafficPolicy: Local` is told. */
export interface ServiceHealth extends ObjectName {
  readonly uid: string;
  /** `spec.healthCheckNodePort`. */
  readonly port: number;
  /** How many different addresses of ready endpoints on this node it has, over all its ports and both families. */
  readonly localEndpoints: number;
}

/** `endpoints[]` of an EndpointSlice. */
export interface Endpoint {
  /** The first of `addresses`; all others are ignored, as everywhere in Kubernetes. */
  readonly address: IpAddress;
  /** '' if unknown. */
  readonly nodeName: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
  /** `targetRef.uid`, packed: to be compared, not to be shown. '' if unknown. */
  readonly podUid: string;
  /** The name of its slice. */
  readonly slice: string;
}

/** What an endpoint shares with many others: where it is, how it is, and whom it is for. */
export type EndpointTraits = Omit<Endpoint, 'address' | 'podUid' | 'slice'>;

/** `ports[]` of an EndpointSlice. */
export interface EndpointPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** discovery.k8s.io/v1 EndpointSlice, reduced to what is read. */
export interface EndpointSlice extends ObjectName {
  /** Label `kubernetes.io/service-name`. */
  readonly serviceName: string;
  readonly family: Family;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
  /** Annotation `endpoints.kubernetes.io/last-change-trigger-time` in milliseconds since 1970, 0 if unknown. */
  readonly triggerTime: number;
}

/** core/v1 Node, reduced to what is read. */
export interface Node {
  readonly name: string;
  /** Label `topology.kubernetes.io/zone`, '' if unknown. */
  readonly zone: string;
  /** InternalIPs, then ExternalIPs. */
  readonly addresses: readonly IpAddress[];
  readonly podCIDRs: readonly Prefix[];
  /** No deletion timestamp, no taint `ToBeDeletedByClusterAutoscaler`. */
  readonly isEligible: boolean;
}

/** What is wrong with an object: `spec.ports[1].port: 70000 is not between 1 and 65535`. */
export interface Problem {
  readonly field: string;
  readonly message: string;
}

/** The kinds that are watched. */
export type Kind = 'Service' | 'EndpointSlice' | 'Node';

/**
 * One thing that a source tells. An object with problems comes with what could be read of it, and the
 * problems say what was left out; one of which nothing can be used comes as `unusable`, and the last good
 * one, if any, stays in force.
 */
export type Change =
  | {
      readonly type: 'set';
      readonly kind: 'Service';
      readonly object: Service;
      readonly problems: readonly Problem[];
    }
  | {
      readonly type: 'set';
      readonly kind: 'EndpointSlice';
      readonly object: EndpointSlice;
      readonly problems: readonly Problem[];
    }
  | {
      readonly type: 'set';
      readonly kind: 'Node';
      readonly object: Node;
      readonly problems: readonly Problem[];
    }
  | { readonly type: 'delete'; readonly kind: Kind; readonly name: ObjectName }
  | {
      readonly type: 'unusable';
      readonly kind: Kind;
      readonly name: ObjectName;
      readonly problems: readonly Problem[];
    }
  | SourceStatus;

/** What is said of all objects of a kind. */
export type SourceStatus =
  /** Every object that there is has been told. Comes once, the first time. */
  | { readonly type: 'synced'; readonly kind: Kind }
  /** Nothing can be read any more, or what was read is doubtful: what was told may be out of date. */
  | { readonly type: 'stale'; readonly kind: Kind }
  /** That is over, and what was missed has been told. */
  | { readonly type: 'current'; readonly kind: Kind }
  /** All objects of the kind were read a second time, and what was not known has been told. */
  | { readonly type: 'confirmed'; readonly kind: Kind };

/** Where objects come from: the API server, or files. */
export interface Source {
  /**
   * Reads all objects of a kind once more, after a while and by another way, tells what was not known, and then `confirmed`;
   * repeated until it succeeds. Absent where the first word is the last, as in files.
   */
  confirm?(kind: Kind): void;
  /** Tells every change, in order, until the signal aborts; waits out every failure, and throws only what no waiting can mend. */
  run(onChange: (change: Change) => void, signal: AbortSignal): Promise<void>;
}
