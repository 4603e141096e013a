import { type Family, families, familyOf } from '../../pkg/ip/address.ts';
import { objectKey } from '../../pkg/kube/object-key.ts';
import { packUid } from '../../pkg/kube/objects/pod-uid.ts';
import type {
  Endpoint,
  EndpointSlice,
  Node,
  Service,
  ServicePortSpec,
} from '../../pkg/kube/types.ts';
import type { NodeContext } from '../../pkg/proxy/desired/footprint.ts';
import type { Owner } from '../../pkg/proxy/desired/service.ts';
import type { ServingEndpoints } from '../../pkg/proxy/desired/udp-front-end.ts';
import { ip } from './addresses.ts';

/** A port of a Service: TCP 80 unless said otherwise. */
export function servicePort(over: Partial<ServicePortSpec> = {}): ServicePortSpec {
  return { name: '', protocol: 'TCP', port: 80, nodePort: 0, ...over };
}

/** A ClusterIP Service `shop/web` on 172.30.0.1:80/TCP unless said otherwise. */
export function service(over: Partial<Omit<Service, 'key'>> = {}): Service {
  const { namespace = 'shop', name = 'web' } = over;
  return {
    namespace,
    name,
    uid: 'service-uid',
    created: 1,
    type: 'ClusterIP',
    clusterIPs: [ip('172.30.0.1')],
    ports: [servicePort()],
    affinitySeconds: 0,
    externalIPs: [],
    loadBalancerIPs: [],
    sourceRanges: [],
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    healthCheckNodePort: 0,
    annotations: {},
    ...over,
    key: objectKey({ namespace, name }),
  };
}

/** A Service as an owner of virtual servers. */
export function owner(key: string, created: number): Owner {
  const [namespace = '', name = ''] = key.split('/');
  return { key, namespace, name, created };
}

/** A ready endpoint on another node; its pod's uid is made of its address. */
export function endpoint(address: string, over: Partial<Endpoint> = {}): Endpoint {
  return {
    address: ip(address),
    nodeName: 'elsewhere',
    ready: true,
    serving: true,
    terminating: false,
    zoneHints: [],
    nodeHints: [],
    podUid: packUid(`pod-${address}`),
    slice: 'web-1',
    ...over,
  };
}

/** Fields of a slice, its Service by the name that its label has. */
export interface SliceOptions extends Partial<Omit<EndpointSlice, 'serviceKey'>> {
  readonly serviceName?: string;
}

/** A slice of `shop/web` with port 8080/TCP, its family that of its first endpoint. */
export function slice(
  endpoints: readonly Endpoint[],
  { serviceName = 'web', ...over }: SliceOptions = {},
): EndpointSlice {
  const first = endpoints[0]?.address;
  const family: Family = first === undefined ? 'IPv4' : familyOf(first);
  const { namespace = 'shop', name = 'web-1' } = over;
  return {
    namespace,
    name,
    family,
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: endpoints.map((one) => (one.slice === name ? one : { ...one, slice: name })),
    triggerTime: 0,
    ...over,
    serviceKey: objectKey({ namespace, name: serviceName }),
  };
}

/** The node `here`. */
export function node(over: Partial<Node> = {}): Node {
  return {
    name: 'here',
    zone: '',
    addresses: [ip('192.168.0.10')],
    podCIDRs: [],
    isEligible: true,
    ...over,
  };
}

/** The node `here` as footprints see it, without addresses of its own. */
export const nodeContext: NodeContext = {
  nodeName: 'here',
  zone: '',
  scheduler: 'rr',
  families,
  nodePortAddresses: [],
  nodeAddresses: new Set(),
  externalIPs: true,
  nodeIPs: [ip('127.0.0.1'), ip('::1')],
};

/** Endpoints that serve on a port, by their addresses. */
export function serving(addresses: readonly string[], port = 5353): ServingEndpoints {
  const ids = addresses.map((address) => ({ address: ip(address), port }));
  return {
    size: ids.length,
    has: (id) => ids.some((one) => one.address === id.address && one.port === id.port),
    [Symbol.iterator]: () => ids.values(),
  };
}
