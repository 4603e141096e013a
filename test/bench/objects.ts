/** A cluster of any size as its API server reports it, with objects as large as real ones. */

import { net } from '../support/addresses.ts';

/** The range of all cluster IPs. */
export const vipRange = net('172.30.0.0/16');

/** A Service of the cluster, by its number: one TCP port on a cluster IP. */
export function service(index: number): object {
  const ip = clusterIp(index);
  return {
    metadata: metadata(index, `service-${index}`),
    spec: {
      clusterIP: ip,
      clusterIPs: [ip],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
      selector: { app: `service-${index}` },
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
    status: { loadBalancer: {} },
  };
}

/** The cluster IP of a Service. */
export function clusterIp(index: number): string {
  return `172.30.${(index >> 8) + 1}.${index & 255}`;
}

/** The address of a pod. */
export function podAddress(number: number): string {
  return `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
}

/** A pod behind a Service. */
export interface Pod {
  /** Says its address and its uid: different ones are different pods. */
  readonly number: number;
  readonly isReady: boolean;
}

/** The pods that a Service has to begin with. */
export function podsOf(index: number, count: number): readonly Pod[] {
  return Array.from({ length: count }, (_, number) => ({
    number: index * count + number + 1,
    isReady: true,
  }));
}

/** How many endpoints kube-controller-manager puts into a slice at most. */
export const sliceSize = 100;

/** Pods by the slices that they are in. */
export function slicesOf(pods: readonly Pod[]): readonly (readonly Pod[])[] {
  const count = Math.max(1, Math.ceil(pods.length / sliceSize));
  return Array.from({ length: count }, (_, part) =>
    pods.slice(part * sliceSize, (part + 1) * sliceSize),
  );
}

/** A slice of a Service, the first one if not said otherwise. None of its pods is on this node. */
export function slice(index: number, pods: readonly Pod[], part = 0): object {
  const suffix = part === 0 ? 'abcde' : `part-${part}`;
  return {
    metadata: metadata(index, `service-${index}-${suffix}`),
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: pods.map(({ number, isReady }) => ({
      addresses: [podAddress(number)],
      conditions: { ready: isReady, serving: isReady, terminating: false },
      nodeName: `node-${number % 500}`,
      zone: `zone-${number % 3}`,
      hints: { forZones: [{ name: `zone-${number % 3}` }] },
      targetRef: {
        kind: 'Pod',
        name: `service-${index}-${number}`,
        namespace: 'x',
        uid: uid(number),
      },
    })),
  };
}

/** Everything in the cluster as `kubectl get -o json` writes it. */
export function list(services: number, endpoints: number): object {
  const items = Array.from({ length: services }, (_, index) => [
    { apiVersion: 'v1', kind: 'Service', ...service(index) },
    ...slicesOf(podsOf(index, endpoints)).map((pods, part) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      ...slice(index, pods, part),
    })),
  ]);
  return { apiVersion: 'v1', kind: 'List', items: items.flat() };
}

function metadata(index: number, name: string): object {
  return {
    name,
    namespace: `namespace-${index % 100}`,
    uid: uid(index),
    resourceVersion: `${index}`,
    creationTimestamp: '2025-01-02T03:04:05Z',
    labels: {
      app: name,
      'app.kubernetes.io/managed-by': 'helm',
      'kubernetes.io/service-name': `service-${index}`,
    },
    annotations: { 'meta.helm.sh/release-name': name, 'meta.helm.sh/release-namespace': 'x' },
    managedFields: [
      {
        manager: 'helm',
        operation: 'Update',
        apiVersion: 'v1',
        time: '2025-01-02T03:04:05Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': {
            'f:annotations': { '.': {}, 'f:meta.helm.sh/release-name': {} },
            'f:labels': { '.': {}, 'f:app': {} },
          },
          'f:spec': { 'f:ports': {}, 'f:selector': {} },
        },
      },
    ],
  };
}

function uid(number: number): string {
  return `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
}
