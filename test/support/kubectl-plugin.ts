import { spawnSync } from 'node:child_process';
import type { KubeObject } from '@kube-proxy-ipvs/test-apiserver/objects';

// Objects of a cluster that `kubectl ipvs` looks at.

/** A node with a kube-proxy pod as `deploy/` makes it. */
export function nodeWithProxy(node: string, more: Partial<ProxyPod> = {}): KubeObject[] {
  const addresses = [{ type: 'InternalIP', address: `192.168.0.${node.at(-1)}` }];
  return [
    { apiVersion: 'v1', kind: 'Node', metadata: { name: node }, status: { addresses } },
    proxyPod(node, more),
  ];
}

/** What is told of a kube-proxy pod; a pod as `deploy/` makes it has the rest. */
export interface ProxyPod {
  readonly name: string;
  readonly app: string;
  readonly namespace: string;
  readonly phase: string;
  readonly container: Readonly<Record<string, unknown>>;
  readonly state: Readonly<Record<string, unknown>>;
}

/** A kube-proxy pod. */
export function proxyPod(node: string, more: Partial<ProxyPod> = {}): KubeObject {
  const { app = 'kube-proxy-ipvs', namespace = 'kube-system', phase = 'Running' } = more;
  const container = {
    name: 'kube-proxy',
    args: ['--config=/var/lib/kube-proxy/config.conf', '--hostname-override=$(NODE_NAME)'],
    env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
    ...more.container,
  };
  const { state = { running: {} } } = more;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: more.name ?? `${app}-${node}`, namespace, labels: { 'k8s-app': app } },
    spec: { nodeName: node, hostNetwork: true, containers: [container] },
    status: { phase, containerStatuses: [{ name: container.name, state }] },
  };
}

/** A pod of the namespace shop; without a node it is not scheduled yet. */
export function pod(
  name: string,
  { node = '', ips = ['10.244.1.7'], isHost = false } = {},
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop' },
    spec: { ...(node && { nodeName: node }), ...(isHost && { hostNetwork: true }), containers: [] },
    status: { phase: 'Running', podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) },
  };
}

/** The Service shop/catalog. */
export const catalog: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'catalog', namespace: 'shop' },
  spec: { clusterIP: '172.30.0.9', ports: [{ name: 'http', port: 80 }] },
};

/** The endpoints of shop/catalog, each on a node; ready unless it says otherwise. */
export function endpoints(...nodes: readonly { node?: string; ready?: boolean }[]): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'catalog-1',
      namespace: 'shop',
      labels: { 'kubernetes.io/service-name': 'catalog' },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: nodes.map(({ node, ready }, index) => ({
      addresses: [`10.244.2.${index + 1}`],
      ...(node !== undefined && { nodeName: node }),
      ...(ready !== undefined && { conditions: { ready } }),
    })),
  };
}

/** Whether a command line succeeds, which has no quotes. */
export function isInstalled(line: string): boolean {
  const [program = '', ...args] = line.split(' ');
  return spawnSync(program, args).status === 0;
}
