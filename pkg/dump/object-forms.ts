import { printPrefix } from '../ip/prefix.ts';
import {
  annotationPrefix,
  goingTaint,
  serviceLabel,
  triggerAnnotation,
  zoneLabel,
} from '../kube/objects/names.ts';
import { unpackUid } from '../kube/objects/pod-uid.ts';
import type { Endpoint, EndpointSlice, Node, Service } from '../kube/types.ts';
import type { Replace } from './replace.ts';

// Objects are written as manifests of the fields that are read, and of nothing else: a dump can be started on as any manifest.

/** The objects of the API that the state of a node follows from. */
export interface DumpedObjects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  /** This node's Node; `undefined` if there is none. */
  readonly node: Node | undefined;
  /** The networks of ServiceCIDR objects, where VIPs are bound by them. */
  readonly serviceRanges: readonly string[];
}

/** The annotations of Services that have a meaning. What another one says is not dumped. */
const readAnnotations = [
  'drain-timeout',
  'pod-identity',
  'connection-limit',
  'scheduler',
  'scheduler-flags',
];

/** Values of annotations that have a meaning, and name nothing. */
const validAnnotation =
  /^(?:[\d.]+|(?:[\d.]+(?:h|m|s|ms))+|address|uid|w?rr|w?lc|lblcr?|dh|sh|sed|nq|fo|ovf|mh|twos|(?:[sm]h-(?:fallback|port)|flag-[12]|[, ])*)$/;

/** Each object as a line of JSON. */
export function* objectLines(
  { services, slices, node, serviceRanges }: DumpedObjects,
  replace: Replace,
): Generator<string> {
  if (node !== undefined) yield JSON.stringify(nodeManifest(node, replace));
  if (serviceRanges.length > 0) yield JSON.stringify(rangesManifest(serviceRanges, replace));
  for (const service of services) yield JSON.stringify(serviceManifest(service, replace));
  for (const slice of slices) yield JSON.stringify(sliceManifest(slice, replace));
}

function rangesManifest(ranges: readonly string[], replace: Replace): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: ranges.map((range) => replace.addresses(range)) },
  };
}

/** A name that may be empty. */
function named(replace: Replace, kind: Parameters<Replace['name']>[0], name: string): string {
  return name === '' ? '' : replace.name(kind, name);
}

function serviceManifest(service: Service, replace: Replace): object {
  const { created, annotations, affinitySeconds, sourceRanges, loadBalancerIPs } = service;
  const clusterIPs = service.clusterIPs.map((address) => replace.address(address));
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      namespace: replace.name('namespace', service.namespace),
      name: replace.name('service', service.name),
      uid: named(replace, 'uid', service.uid),
      ...timeOf('creationTimestamp', created),
      annotations: Object.fromEntries(
        readAnnotations.flatMap((name) => {
          const value = annotations[name];
          if (value === undefined) return [];
          const isValid = validAnnotation.test(value);
          return [[`${annotationPrefix}${name}`, isValid ? value : replace.name('value', value)]];
        }),
      ),
    },
    spec: {
      type: service.type,
      clusterIPs: clusterIPs.length === 0 ? ['None'] : clusterIPs,
      clusterIP: clusterIPs[0] ?? 'None',
      ipFamilies: service.clusterIPs.map((address) => (address.includes(':') ? 'IPv6' : 'IPv4')),
      ports: service.ports.map(({ name, protocol, port, nodePort }) => ({
        name: named(replace, 'port', name),
        protocol,
        port,
        nodePort,
      })),
      ...(affinitySeconds === 0
        ? { sessionAffinity: 'None' }
        : {
            sessionAffinity: 'ClientIP',
            sessionAffinityConfig: { clientIP: { timeoutSeconds: affinitySeconds } },
          }),
      externalIPs: service.externalIPs.map((address) => replace.address(address)),
      loadBalancerSourceRanges: sourceRanges.map((range) => printPrefix(replace.network(range))),
      externalTrafficPolicy: service.externalTrafficPolicy,
      internalTrafficPolicy: service.internalTrafficPolicy,
      healthCheckNodePort: service.healthCheckNodePort,
    },
    status: {
      loadBalancer: {
        ingress: loadBalancerIPs.map((address) => ({ ip: replace.address(address) })),
      },
    },
  };
}

function sliceManifest(slice: EndpointSlice, replace: Replace): object {
  const { namespace, name, serviceKey, family, ports, endpoints, triggerTime } = slice;
  const serviceName = serviceKey.slice(serviceKey.indexOf('/') + 1);
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: replace.name('namespace', namespace),
      name: replace.name('slice', name),
      labels: { [serviceLabel]: replace.name('service', serviceName) },
      annotations: timeOf(triggerAnnotation, triggerTime),
    },
    addressType: family,
    ports: ports.map(({ name: portName, protocol, port }) => ({
      name: named(replace, 'port', portName),
      protocol,
      port,
    })),
    endpoints: endpoints.map((endpoint) => endpointManifest(endpoint, replace)),
  };
}

function endpointManifest(endpoint: Endpoint, replace: Replace): object {
  const { address, nodeName, ready, serving, terminating, zoneHints, nodeHints, podUid } = endpoint;
  return {
    addresses: [replace.address(address)],
    nodeName: named(replace, 'node', nodeName),
    conditions: { ready, serving, terminating },
    hints: {
      forZones: zoneHints.map((zone) => ({ name: replace.name('zone', zone) })),
      forNodes: nodeHints.map((node) => ({ name: replace.name('node', node) })),
    },
    targetRef: { uid: named(replace, 'uid', unpackUid(podUid)) },
  };
}

function nodeManifest({ name, zone, addresses, podCIDRs, isEligible }: Node, replace: Replace) {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: replace.name('node', name),
      labels: { [zoneLabel]: named(replace, 'zone', zone) },
    },
    spec: {
      podCIDRs: podCIDRs.map((network) => printPrefix(replace.network(network))),
      taints: isEligible ? [] : [{ key: goingTaint }],
    },
    status: {
      addresses: addresses.map((address) => ({
        type: 'InternalIP',
        address: replace.address(address),
      })),
    },
  };
}

/** A time in milliseconds since 1970 as a field; none for 0. */
function timeOf(field: string, time: number): Readonly<Record<string, string>> {
  return time === 0 ? {} : { [field]: new Date(time).toISOString() };
}
