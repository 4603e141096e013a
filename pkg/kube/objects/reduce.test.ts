import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unknownPod } from '../../proxy/desired/pod-identity.ts';
import type { Endpoint, EndpointSlice, Kind, Node, Problem } from '../types.ts';
import type { SliceEndpoint } from './endpoint.ts';
import { packUid } from './pod-uid.ts';
import { isForeign, Reducer } from './reduce.ts';

const reducer = new Reducer();

function reduced(kind: Kind, raw: unknown): { object: unknown; problems: string[] } {
  const change = reducer.change(kind, raw);
  if (change.type !== 'set') throw new Error(`told ${change.type}: ${JSON.stringify(change)}`);
  return { object: change.object, problems: change.problems.map(print) };
}

function print({ field, message }: Problem): string {
  return `${field}: ${message}`;
}

function slice(fields: object, annotations: object = {}): EndpointSlice & { problems: string[] } {
  const metadata = {
    name: 'web-x',
    namespace: 'shop',
    labels: { 'kubernetes.io/service-name': 'web' },
    annotations,
  };
  const { object, problems } = reduced('EndpointSlice', {
    metadata,
    addressType: 'IPv4',
    ...fields,
  });
  const reported = object as EndpointSlice;
  return { ...reported, endpoints: reported.endpoints.map(plainEndpoint), problems };
}

/** An endpoint with its traits as its own properties. */
function plainEndpoint({ address, podUid, slice: name, ...endpoint }: Endpoint): Endpoint {
  const { traits } = endpoint as unknown as SliceEndpoint;
  return { address, podUid, slice: name, ...traits };
}

function node(fields: object): Node & { problems: string[] } {
  const { object, problems } = reduced('Node', { metadata: { name: 'n1' }, ...fields });
  return { ...(object as Node), problems };
}

describe('an EndpointSlice', () => {
  test('with everything is reduced to what is read', () => {
    const result = slice(
      {
        ports: [
          { name: 'http', port: 8080, protocol: 'TCP' },
          { name: '', port: 53, protocol: 'UDP' },
        ],
        endpoints: [
          {
            addresses: ['10.0.0.01', '10.0.0.2'],
            nodeName: 'n1',
            zone: 'z',
            conditions: { ready: false, serving: true, terminating: true },
            hints: { forZones: [{ name: 'a' }, { name: 'b' }], forNodes: [{ name: 'n1' }] },
            targetRef: { kind: 'Pod', uid: 'p-1' },
          },
          { addresses: ['10.0.0.3'], conditions: { ready: null }, nodeName: null, hints: null },
        ],
      },
      { 'endpoints.kubernetes.io/last-change-trigger-time': '2025-01-02T03:04:05.678901234Z' },
    );
    const plain = {
      nodeName: '',
      ready: true,
      serving: true,
      terminating: false,
      zoneHints: [],
      nodeHints: [],
      podUid: unknownPod,
      slice: 'web-x',
    };
    expect(result).toEqual({
      namespace: 'shop',
      name: 'web-x',
      serviceKey: 'shop/web',
      family: 'IPv4',
      ports: [
        { name: 'http', protocol: 'TCP', port: 8080 },
        { name: '', protocol: 'UDP', port: 53 },
      ],
      endpoints: [
        {
          address: '10.0.0.1',
          nodeName: 'n1',
          ready: false,
          serving: true,
          terminating: true,
          zoneHints: ['a', 'b'],
          nodeHints: ['n1'],
          podUid: packUid('p-1'),
          slice: 'web-x',
        },
        { ...plain, address: '10.0.0.3' },
      ],
      triggerTime: Date.UTC(2025, 0, 2, 3, 4, 5, 678),
      problems: [],
    });
  });

  test('leaves out endpoints and ports that mean nothing and says which', () => {
    const result = slice({
      ports: [{ port: 80 }, { name: 'a' }, { name: 'b', port: 0 }, { name: 'c', port: 80 }],
      endpoints: [
        { addresses: [] },
        {},
        { addresses: ['fd00::1'] },
        { addresses: ['::ffff:10.0.0.9x'] },
        { addresses: [7] },
        { addresses: ['10.0.0.1'], conditions: { ready: 'yes', serving: false } },
      ],
    });
    expect(result.ports.map(({ name }) => name)).toEqual(['c']);
    expect(result.endpoints).toMatchObject([{ address: '10.0.0.1', ready: true, serving: false }]);
    expect(result.problems).toEqual([
      'ports[0].name: is missing',
      'ports[1].port: is missing',
      'ports[2].port: 0 is not between 1 and 65535',
      'endpoints[0].addresses: holds no address',
      'endpoints[1].addresses: holds no address',
      'endpoints[2].addresses[0]: "fd00::1" is not an IPv4 address',
      'endpoints[3].addresses[0]: "::ffff:10.0.0.9x" is not an IPv4 address',
      'endpoints[4].addresses[0]: is a number, not a string',
      'endpoints[4].addresses: holds no address',
      'endpoints[5].conditions.ready: is a string ("yes"), not a boolean',
    ]);
  });

  test.each([
    ['of host names', { addressType: 'FQDN' }],
    ['without the label of its Service', { metadata: { name: 's', namespace: 'x', labels: {} } }],
    [
      'with an empty one',
      { metadata: { name: 's', namespace: 'x', labels: { 'kubernetes.io/service-name': '' } } },
    ],
  ])('%s is told as deleted', (_name, fields) => {
    const metadata = { name: 's', namespace: 'x', labels: { 'kubernetes.io/service-name': 'web' } };
    const change = reducer.change('EndpointSlice', { metadata, addressType: 'IPv4', ...fields });
    expect(change).toEqual({
      type: 'delete',
      kind: 'EndpointSlice',
      name: { namespace: 'x', name: 's' },
    });
  });

  test('of an unknown kind of addresses is unusable', () => {
    const metadata = { name: 's', namespace: 'x', labels: { 'kubernetes.io/service-name': 'web' } };
    expect(reducer.change('EndpointSlice', { metadata, addressType: 'IPX' })).toMatchObject({
      type: 'unusable',
      problems: [{ field: 'addressType', message: '"IPX" is none of IPv4, IPv6, FQDN' }],
    });
  });

  test('shares the names that come again and again', () => {
    const read = () =>
      slice(
        JSON.parse(
          '{"endpoints":[{"addresses":["10.0.0.1"],"hints":{"forZones":[{"name":"zone-a"}]}}]}',
        ) as object,
      );
    expect(read().endpoints[0]?.zoneHints).toBe(read().endpoints[0]?.zoneHints);
  });
});

describe('a Node', () => {
  test('reports its addresses, internal ones first, its pod networks and its zone', () => {
    const result = node({
      metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z1' } },
      spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24', 'fd01::1/64', 'x'] },
      status: {
        addresses: [
          { type: 'ExternalIP', address: '203.0.113.1' },
          { type: 'Hostname', address: 'n1' },
          { type: 'InternalIP', address: '192.168.0.1' },
          { type: 'InternalIP', address: 'n1.local' },
        ],
      },
    });
    expect(result).toEqual({
      name: 'n1',
      zone: 'z1',
      addresses: ['192.168.0.1', '203.0.113.1'],
      podCIDRs: [
        { address: '10.1.0.0', length: 24 },
        { address: 'fd01::', length: 64 },
      ],
      isEligible: true,
      problems: [
        'status.addresses[3].address: "n1.local" is not an IP address',
        'spec.podCIDRs[2]: "x" is not a network',
      ],
    });
  });

  test.each([
    ['a bare one', {}, true],
    ['another taint', { spec: { taints: [{ key: 'x' }] } }, true],
    [
      'about to be deleted by the autoscaler',
      { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] } },
      false,
    ],
    [
      'being deleted',
      { metadata: { name: 'n1', deletionTimestamp: '2025-01-01T00:00:00Z' } },
      false,
    ],
  ])('%s: eligible', (_name, fields, isEligible) => {
    expect(node(fields)).toMatchObject({ isEligible, problems: [] });
  });

  test('with the older single pod network', () => {
    expect(node({ spec: { podCIDR: '10.1.0.0/24' } }).podCIDRs).toEqual([
      { address: '10.1.0.0', length: 24 },
    ]);
  });
});

describe('an object of which nothing can be used', () => {
  test.each([
    ['null', null, ': is nothing, not an object'],
    ['text', 'x', ': is a string ("x"), not an object'],
    ['no metadata', { spec: {} }, 'metadata.name: is missing'],
    ['a name that is no text', { metadata: { name: 7 } }, 'metadata.name: is missing'],
    ['no spec', { metadata: { name: 'a', namespace: 'b' } }, 'spec: is missing'],
    [
      'a spec that is no object',
      { metadata: { name: 'a', namespace: 'b' }, spec: [] },
      'spec: is an array, not an object',
    ],
  ])('%s', (_name, raw, problem) => {
    const change = reducer.change('Service', raw);
    expect(change.type).toBe('unusable');
    if (change.type === 'unusable') expect(change.problems.map(print)).toContain(problem);
  });
});

test('whatever JSON comes in, a change comes out', () => {
  const fieldNames = fc.constantFrom(
    ...[
      'metadata',
      'name',
      'namespace',
      'labels',
      'annotations',
      'spec',
      'status',
      'ports',
      'port',
      'nodePort',
      'protocol',
    ],
    ...[
      'clusterIP',
      'clusterIPs',
      'ipFamilies',
      'externalIPs',
      'loadBalancer',
      'ingress',
      'ip',
      'endpoints',
      'addresses',
    ],
    ...[
      'conditions',
      'ready',
      'hints',
      'forZones',
      'targetRef',
      'uid',
      'addressType',
      'taints',
      'podCIDRs',
      'type',
      '__proto__',
    ],
  );
  const leaf = fc.oneof(
    fc.constantFrom('IPv4', '10.0.0.1', 'x', '', null, 80, -1, 1e9, true),
    fc.string(),
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.dictionary(fieldNames, tie('tree'), { maxKeys: 8 }),
      fc.array(tie('tree')),
    ),
  }));
  const object = fc.dictionary(fieldNames, tree);
  fc.assert(
    fc.property(
      fc.constantFrom<Kind>('Service', 'EndpointSlice', 'Node'),
      object,
      (kind, fields) => {
        const metadata = {
          ...fields,
          name: 'a',
          namespace: 'b',
          labels: { 'kubernetes.io/service-name': 'web' },
        };
        const named = { ...fields, metadata, addressType: 'IPv4', spec: fields, status: fields };
        expect(reducer.change(kind, named).type).toBe('set');
        expect(() => reducer.change(kind, fields)).not.toThrow();
      },
    ),
  );
});

test.each([
  [{ 'service.kubernetes.io/service-proxy-name': '' }, true],
  [{ 'service.kubernetes.io/headless': 'x' }, true],
  [{ app: 'x' }, false],
  [undefined, false],
])('labels %j make an object foreign: %s', (labels, expected) => {
  expect(isForeign({ metadata: { labels } })).toBe(expected);
});

describe('an address that no packet is routed to is refused', () => {
  const refused = [
    ['127.0.0.1', 'a loopback address'],
    ['0.0.0.0', 'the unspecified address'],
    ['169.254.169.254', 'a link-local address'],
    ['224.0.0.1', 'a multicast address'],
    ['255.255.255.255', 'the broadcast address'],
    ['::ffff:127.0.0.1', 'a loopback address'],
  ] as const;

  test.each(refused)('%s wherever a Service names it', (address, what) => {
    const change = reducer.change('Service', {
      metadata: { name: 'a', namespace: 'b' },
      spec: {
        type: 'LoadBalancer',
        clusterIP: address,
        clusterIPs: [address],
        ipFamilies: ['IPv4'],
        externalIPs: [address, '192.168.0.1'],
        ports: [{ port: 80 }],
      },
      status: { loadBalancer: { ingress: [{ ip: address }] } },
    });
    expect(change).toMatchObject({
      type: 'set',
      object: { clusterIPs: [], externalIPs: ['192.168.0.1'], loadBalancerIPs: [] },
    });
    const problem = `"${address}" is refused: ${what} cannot be served`;
    expect(change.type === 'set' ? change.problems.map(print).toSorted() : []).toEqual([
      `spec.clusterIPs[0]: ${problem}`,
      `spec.externalIPs[0]: ${problem}`,
      `status.loadBalancer.ingress[0].ip: ${problem}`,
    ]);
  });

  test.each(refused)('%s as an endpoint', (address, what) => {
    const change = reducer.change('EndpointSlice', {
      metadata: {
        name: 'a',
        namespace: 'b',
        labels: { 'kubernetes.io/service-name': 'web' },
      },
      addressType: 'IPv4',
      ports: [],
      endpoints: [{ addresses: [address] }, { addresses: ['192.168.0.1'] }],
    });
    expect(change).toMatchObject({ object: { endpoints: [{ address: '192.168.0.1' }] } });
    expect(change.type === 'set' ? change.problems.map(print) : []).toEqual([
      `endpoints[0].addresses[0]: "${address}" is refused: ${what} cannot be served`,
    ]);
  });
});

test.each([
  ['2019-01-01T00:00:00Z', Date.UTC(2019, 0, 1)],
  ['2019-01-01T00:00:00.5+01:00', Date.UTC(2018, 11, 31, 23, 0, 0, 500)],
  ['1970-01-01T00:00:01Z', 0],
  ['-000001-01-01T00:00:00Z', 0],
  ['2019-01-01', 0],
  ['2019-01-01 00:00', 0],
  ['x', 0],
  // As protobuf has it.
  [new Date(Date.UTC(2019, 0, 1)), Date.UTC(2019, 0, 1)],
  [new Date(1_000), 0],
  [new Date(Number.NaN), 0],
])('a Service created at %s, which is impossible if it is 0', (creationTimestamp, created) => {
  const change = reducer.change('Service', {
    metadata: { name: 'a', namespace: 'b', creationTimestamp },
    spec: {},
  });
  expect(change).toMatchObject({ object: { created } });
  expect(change.type === 'set' ? change.problems.length : -1).toBe(created === 0 ? 1 : 0);
});

test('an object that nobody can read is unusable, and nothing is thrown', () => {
  const raw = {
    metadata: { name: 'a', namespace: 'b' },
    get spec(): unknown {
      throw new Error('what is this?');
    },
  };
  expect(reducer.change('Service', raw)).toEqual({
    type: 'unusable',
    kind: 'Service',
    name: { namespace: 'b', name: 'a' },
    problems: [{ field: '', message: 'could not be read: what is this?' }],
  });
});
