/** An object as a client writes it. */
export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** A Service whose port is the number of its version. */
export function service(name: string, port = 80, labels: Record<string, string> = {}): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', labels },
    spec: { ports: [{ port }], selector: { app: name } },
  };
}

/** An EndpointSlice of a Service with endpoints 10.0.`third`.1 and up. */
export function slice(
  name: string,
  {
    third = 0,
    count = 2,
    labels = {},
  }: { third?: number; count?: number; labels?: Record<string, string> } = {},
): ApiObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': name, ...labels },
    },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: Array.from({ length: count }, (_, index) => ({
      addresses: [`10.0.${third}.${index + 1}`],
      conditions: { ready: true },
    })),
  };
}

/** A Node in a zone. */
export function node(name: string, zone = 'a'): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, namespace: '', labels: { 'topology.kubernetes.io/zone': zone } },
  };
}
