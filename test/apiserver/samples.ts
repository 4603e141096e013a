import type { Json, KubeObject } from './objects.ts';

/** A Service with one port, as somebody would write it. */
export function service(name: string, spec: Json = {}, metadata: Json = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { ports: [{ port: 80 }], ...spec },
  };
}

/** An EndpointSlice of a Service, with an endpoint for each address. */
export function slice(name: string, addresses: readonly string[], fields: Json = {}): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
    ...fields,
  };
}
