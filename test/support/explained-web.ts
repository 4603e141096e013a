import type { Endpoint, Service } from '../../pkg/kube/types.ts';
import { ip } from './addresses.ts';
import { ExplainedNode } from './explained-node.ts';
import { endpoint, node, service, servicePort, slice } from './objects.ts';

/** An endpoint on the node that is asked. */
export const here = endpoint('10.0.1.4', { nodeName: 'here' });
/** An endpoint on another node. */
export const elsewhere = endpoint('10.0.2.4');

/** A node with the Service shop/web, which has a cluster IP, a node port and a load balancer. */
export function web({
  endpoints = [here, elsewhere],
  ...over
}: Partial<Service> & { readonly endpoints?: readonly Endpoint[] } = {}): Promise<ExplainedNode> {
  const port = servicePort({ name: 'http', nodePort: 30_080 });
  const loadBalancerIPs = [ip('198.51.100.1')];
  const ports = [{ name: 'http', protocol: 'TCP', port: 8080 }] as const;
  return ExplainedNode.with({
    services: [service({ type: 'LoadBalancer', ports: [port], loadBalancerIPs, ...over })],
    slices: [slice(endpoints, { ports })],
    node: node(),
  });
}
