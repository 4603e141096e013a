import { ExplainedNode } from './explained-node.ts';
import { endpoint, node, service, slice } from './objects.ts';

/** The Service `shop/web` and its slice with some endpoints, each a line of YAML, as manifests. */
export function manifestsOfWeb(endpoints: readonly string[]): string {
  return `apiVersion: v1
kind: Service
metadata: { namespace: shop, name: web }
spec: { clusterIP: 172.30.0.1, clusterIPs: [172.30.0.1], ports: [{ port: 80, protocol: TCP }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: shop, name: web-1, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: '', port: 8080, protocol: TCP }]
endpoints:
${endpoints.map((one) => `- ${one}\n`).join('')}`;
}

/** The same with an endpoint on the node `here` and one elsewhere. */
export const webManifests = manifestsOfWeb([
  '{ addresses: [10.0.1.4], nodeName: here, conditions: { ready: true } }',
  '{ addresses: [10.0.2.4], nodeName: elsewhere, conditions: { ready: true } }',
]);

/** The node `here`, on which a proxier has carried out the same. */
export function webNode(): Promise<ExplainedNode> {
  return ExplainedNode.with({
    services: [service()],
    slices: [slice([endpoint('10.0.1.4', { nodeName: 'here' }), endpoint('10.0.2.4')])],
    node: node(),
  });
}
