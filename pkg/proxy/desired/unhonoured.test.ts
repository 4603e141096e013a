import { expect, test } from 'vitest';
import { ip, net } from '../../../test/support/addresses.ts';
import { service, servicePort } from '../../../test/support/objects.ts';
import type { Service } from '../../kube/types.ts';
import { type HonouringContext, unhonouredOf } from './unhonoured.ts';

const four = ip('172.30.0.1');
const six = ip('fd00:172:30::1');
const outer = ip('203.0.113.9');
const outerSix = ip('fd00:203:113::9');
const own = ip('192.168.0.10');

interface Row {
  readonly name: string;
  readonly service: Partial<Service>;
  readonly node?: Partial<HonouringContext['node']>;
  readonly context?: Partial<HonouringContext>;
  readonly says: readonly string[];
}

const exposed = { type: 'LoadBalancer', clusterIPs: [four, six] } as const;

const rows: readonly Row[] = [
  { name: 'an ordinary Service is honoured', service: {}, says: [] },
  {
    name: 'one with everything that is done here is honoured',
    service: {
      ...exposed,
      ports: [servicePort({ nodePort: 30_080 })],
      externalIPs: [outer, outerSix],
      loadBalancerIPs: [outer, outerSix],
      sourceRanges: [net('0.0.0.0/0'), net('::/0')],
    },
    says: [],
  },
  {
    name: 'external IPs are not served where their gate is off',
    service: { externalIPs: [outer] },
    node: { externalIPs: false },
    says: ['gate spec.externalIPs 203.0.113.9'],
  },
  {
    name: 'a family that the node lacks is not served, by whatever address',
    service: { ...exposed, externalIPs: [outerSix], loadBalancerIPs: [outerSix] },
    context: { families: ['IPv4'] },
    says: [
      'family spec.clusterIPs fd00:172:30::1',
      'family spec.externalIPs fd00:203:113::9',
      'family status.loadBalancer.ingress fd00:203:113::9',
    ],
  },
  {
    name: 'an address of a family without a cluster IP is not served',
    service: { externalIPs: [outerSix] },
    says: ['no_cluster_ip spec.externalIPs fd00:203:113::9'],
  },
  {
    name: 'an address that the node has is not bound',
    service: { ...exposed, externalIPs: [own], loadBalancerIPs: [own] },
    says: [
      'node_address spec.externalIPs 192.168.0.10',
      'node_address status.loadBalancer.ingress 192.168.0.10',
    ],
  },
  {
    name: 'source ranges of one family leave the other one open',
    service: { ...exposed, loadBalancerIPs: [outer, outerSix], sourceRanges: [net('10.0.0.0/8')] },
    says: ['source_ranges spec.loadBalancerSourceRanges IPv6'],
  },
  {
    name: 'a node port needs an address of the node',
    service: { type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] },
    node: { nodePortAddresses: [ip('fd00:192:168::10')] },
    says: ['no_node_address spec.ports IPv4'],
  },
  {
    name: 'annotations do not count where they are not read',
    service: { annotations: { scheduler: 'lc' } },
    context: { readsAnnotations: false },
    says: ['annotations_off metadata.annotations scheduler'],
  },
  {
    name: 'of an ExternalName and a headless Service nothing is expected',
    service: { clusterIPs: [], externalIPs: [outer] },
    node: { externalIPs: false },
    says: [],
  },
];

test.each(rows)('$name', ({ service: over, node, context, says }) => {
  const found = unhonouredOf(service(over), {
    node: {
      externalIPs: true,
      nodeAddresses: new Set([own]),
      nodePortAddresses: [own, ip('fd00:192:168::10')],
      ...node,
    },
    families: ['IPv4', 'IPv6'],
    readsAnnotations: true,
    cutOffPorts: 0,
    ...context,
  });
  expect(found.map(({ reason, field, value }) => `${reason} ${field} ${value}`)).toEqual(says);
});
