import type { Family, IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { Protocol } from '../ip/protocol.ts';

/** The name of an object. Nodes have an empty namespace. */
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

/** Which endpoints traffic of a kind may use. */
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

/** core/v1 Service, reduced to the fields that are read. */
export interface Service extends ObjectName {
  /** Its map key, `namespace/name`: the same text as in its slices. */
  readonly key: string;
  readonly uid: string;
  /** `metadata.creationTimestamp` in milliseconds since 1970, 0 if unknown. */
  readonly created: number;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** At most one of each family; none for a headless Service. */
  readonly clusterIPs: readonly IpAddress[];
  readonly ports: readonly ServicePortSpec[];
  /** `sessionAffinity: ClientIP`: the timeout in seconds; 0 for no affinity. */
  readonly affinitySeconds: number;
  readonly externalIPs: readonly IpAddress[];
  /** `status.loadBalancer.ingress[].ip` with ipMode VIP or unset. */
  readonly loadBalancerIPs: readonly IpAddress[];
  readonly sourceRanges: readonly Prefix[];
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly internalTrafficPolicy: TrafficPolicy;
  /** 0 for none. */
  readonly healthCheckNodePort: number;
  /** Those with the prefix `ipvs.kube-proxy.io/`, without it. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** The health of a Service of type LoadBalancer with `externalTrafficPolicy: Local`, as its load balancer gets it. */
export interface ServiceHealth extends ObjectName {
  readonly uid: string;
  /** `spec.healthCheckNodePort`. */
  readonly port: number;
  /** The number of different addresses of ready endpoints on this node, over all ports. A pod with both families counts once. */
  readonly localEndpoints: number;
}

declare const podIdentity: unique symbol;

/**
 * Which pod is meant: its uid as `packUid` makes it, or one of the constants of `proxy/desired/pod-identity.ts`, unknown and any. Only for
 * comparison. Nothing else makes one.
 */
export type PodIdentity = string & { readonly [podIdentity]: 'PodIdentity' };

/** `endpoints[]` of an EndpointSlice. */
export interface Endpoint {
  /** The first of `addresses`; all others are ignored, as in all of Kubernetes. */
  readonly address: IpAddress;
  /** '' if unknown. */
  readonly nodeName: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
  /** That of `targetRef.uid`; the unknown one without it. */
  readonly podUid: PodIdentity;
  /** The name of its slice. */
  readonly slice: string;
}

/** The properties of an endpoint that many share: its place, conditions and hints. */
export type EndpointTraits = Omit<Endpoint, 'address' | 'podUid' | 'slice'>;

/** `ports[]` of an EndpointSlice. */
export interface EndpointPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** discovery.k8s.io/v1 EndpointSlice, reduced to the fields that are read. */
export interface EndpointSlice extends ObjectName {
  /** The map key of the Service that its label `kubernetes.io/service-name` names. */
  readonly serviceKey: string;
  readonly family: Family;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
  /** Annotation `endpoints.kubernetes.io/last-change-trigger-time` in milliseconds since 1970, 0 if unknown. */
  readonly triggerTime: number;
}

/** core/v1 Node, reduced to the fields that are read. */
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

/** Where a pod is in the network. */
export interface PodPlace {
  /** At most one of each family. */
  readonly addresses: readonly IpAddress[];
  /** Whether it has the node's own addresses. */
  readonly isHostNetwork: boolean;
  /** The name of its node; '' if it has none yet. */
  readonly nodeName: string;
}

/** A problem of an object: `spec.ports[1].port: 70000 is not between 1 and 65535`. */
export interface Problem {
  readonly field: string;
  readonly message: string;
}

/** The kinds that are watched. */
export type Kind = 'Service' | 'EndpointSlice' | 'Node';

/**
 * An event of a source. `set` has what could be read of an object, and problems for the fields that were left out. `unusable` means
 * that nothing of it could be read; its last good state stays valid.
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

/** The state of a source for all objects of a kind. */
export type SourceStatus =
  /** Every object has been reported. Comes once, the first time. */
  | { readonly type: 'synced'; readonly kind: Kind }
  /** Objects cannot be read, or what was read is doubtful: what was reported may be out of date. */
  | { readonly type: 'stale'; readonly kind: Kind }
  /** Reading works again, and what was missed has been reported. */
  | { readonly type: 'current'; readonly kind: Kind }
  /** All objects were read a second time, and what was not known has been reported. */
  | { readonly type: 'confirmed'; readonly kind: Kind };

/** A source of objects: the API server, or files. */
export interface Source {
  /**
   * Reads all objects of a kind once more, after a while and over another connection. Reports what was not known, then `confirmed`.
   * Repeated until it succeeds. Absent if the first read is final, as with files.
   */
  confirm?(kind: Kind): void;
  /** Reports every change in order until the signal aborts. Retries after failures; throws only what no retry can mend. */
  run(onChange: (change: Change) => void, signal: AbortSignal): Promise<void>;
}
