import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isForeign, Reducer } from './reduce.ts';
import type { EndpointSlice, Kind, Node, Problem, Service } from './types.ts';

const reducer = new Reducer();

function reduced(kind: Kind, raw: unknown): { object: unknown; problems: string[] } {
  const change = reducer.change(kind, raw);
  if (change.type !== 'set') throw new Error(`told ${change.type}: ${JSON.stringify(change)}`);
  return { object: change.object, problems: change.problems.map(print) };
}

function print({ field, message }: Problem): string {
  return `${field}: ${message}`;
}

function service(spec: object, more: { status?: unknown; annotations?: unknown } = {}): Service & { problems: string[] } {
  const raw = {
    metadata: { name: 'web', namespace: 'shop', annotations: more.annotations },
    spec: { clusterIP: '172.30.0.1', ...spec },
    status: more.status,
  };
  const { object, problems } = reduced('Service', raw);
  return { ...(object as Service), problems };
}

function slice(fields: object, annotations: object = {}): EndpointSlice & { problems: string[] } {
  const metadata = { name: 'web-x', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' }, annotations };
  const { object, problems } = reduced('EndpointSlice', { metadata, addressType: 'IPv4', ...fields });
  return { ...(object as EndpointSlice), problems };
}

function node(fields: object): Node & { problems: string[] } {
  const { object, problems } = reduced('Node', { metadata: { name: 'n1' }, ...fields });
  return { ...(object as Node), problems };
}

describe('a Service', () => {
  test('with everything is reduced to what is read', () => {
    const raw = {
      apiVersion: 'v1',
      metadata: {
        name: 'web',
        namespace: 'shop',
        uid: 'u-1',
        creationTimestamp: '2025-01-02T03:04:05Z',
        annotations: { 'ipvs.kube-proxy.io/drain-timeout': '5m', other: 'x' },
        managedFields: [{}],
      },
      spec: {
        type: 'LoadBalancer',
        clusterIP: '172.30.0.1',
        clusterIPs: ['172.30.0.1', 'FD00:0::1'],
        ipFamilies: ['IPv4', 'IPv6'],
        ports: [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080, appProtocol: 'x' }],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        externalIPs: ['203.0.113.7', '', '203.0.113.7'],
        loadBalancerSourceRanges: [' 203.0.113.9/24 ', 'fd00::/8'],
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Cluster',
        healthCheckNodePort: 32000,
      },
      status: {
        loadBalancer: {
          ingress: [{ ip: '203.0.113.8' }, { hostname: 'x' }, { ip: '203.0.113.1', ipMode: 'Proxy' }, { ip: '::2', ipMode: 'VIP' }],
        },
      },
    };
    expect(reducer.change('Service', raw)).toEqual({
      type: 'set',
      kind: 'Service',
      problems: [],
      object: {
        namespace: 'shop',
        name: 'web',
        uid: 'u-1',
        created: Date.UTC(2025, 0, 2, 3, 4, 5),
        type: 'LoadBalancer',
        clusterIPs: ['172.30.0.1', 'fd00::1'],
        ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 }],
        affinitySeconds: 60,
        externalIPs: ['203.0.113.7'],
        loadBalancerIPs: ['203.0.113.8', '::2'],
        sourceRanges: [
          { address: '203.0.113.0', length: 24 },
          { address: 'fd00::', length: 8 },
        ],
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Cluster',
        healthCheckNodePort: 32000,
        annotations: { 'drain-timeout': '5m' },
      },
    });
  });

  test('with a bad port keeps the others and names the field', () => {
    const { ports, problems } = service({
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 70000 },
        { name: 'c', port: 0 },
        { name: 'd', port: '80' },
        { name: 'e', port: 80.5 },
        { name: 'f' },
        { name: 'g', port: 81, protocol: 'ICMP' },
        { name: 'h', port: 82, protocol: 'SCTP', nodePort: -1 },
        'i',
        null,
        { name: 'k', port: 83, protocol: 'UDP', nodePort: 0 },
      ],
    });
    expect(ports.map(({ name, port, nodePort }) => [name, port, nodePort])).toEqual([
      ['a', 80, 0],
      ['h', 82, 0],
      ['k', 83, 0],
    ]);
    expect(problems).toEqual([
      'spec.ports[8]: is a string ("i"), not an object',
      'spec.ports[9]: is nothing, not an object',
      'spec.ports[1].port: 70000 is not between 1 and 65535',
      'spec.ports[2].port: 0 is not between 1 and 65535',
      'spec.ports[3].port: is a string ("80"), not a number',
      'spec.ports[4].port: 80.5 is not a whole number',
      'spec.ports[5].port: is missing',
      'spec.ports[6].protocol: "ICMP" is none of TCP, UDP, SCTP',
      'spec.ports[7].nodePort: -1 is not between 0 and 65535',
    ]);
  });

  test('keeps the first of ports with one name or one number', () => {
    const { ports, problems } = service({
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns', port: 53 },
        { name: 'dns', port: 54 },
        { name: 'other', port: 53, protocol: 'UDP' },
      ],
    });
    expect(ports.map(({ port, protocol }) => `${port}/${protocol}`)).toEqual(['53/UDP', '53/TCP']);
    expect(problems).toEqual([
      'spec.ports[2]: name "dns"/TCP is already that of spec.ports[1]',
      'spec.ports[3]: port 53/UDP is already that of spec.ports[0]',
    ]);
  });

  const v4 = '172.30.0.1';
  const v6 = 'fd00::1';
  test.each([
    ['no clusterIP', { clusterIP: '' }, []],
    ['a clusterIP that is null', { clusterIP: null }, []],
    ['clusterIP None', { clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv4'] }, []],
    ['type ExternalName, even with a clusterIP', { type: 'ExternalName', clusterIP: v4 }, []],
    ['no ipFamilies: the one clusterIP', { clusterIP: v6, clusterIPs: [v6, v4] }, [v6]],
    ['ipFamilies: the address at the index of each', { clusterIPs: [v6, v4], ipFamilies: ['IPv6', 'IPv4'] }, [v6, v4]],
    ['one family and one address', { clusterIP: v6, clusterIPs: [v6], ipFamilies: ['IPv6'] }, [v6]],
    ['more families than addresses', { clusterIPs: [v4], ipFamilies: ['IPv4', 'IPv6'] }, [v4]],
    ['ipFamilies and clusterIP only', { clusterIP: v4, ipFamilies: ['IPv4'] }, [v4]],
    ['leading zeros', { clusterIP: '172.030.000.001' }, ['172.30.0.1']],
  ])('with %s', (_name, spec, expected) => {
    expect(service(spec)).toMatchObject({ clusterIPs: expected, problems: [] });
  });

  test.each([
    [{ clusterIP: '172.30.0.256' }, 'spec.clusterIP: "172.30.0.256" is not an IP address', []],
    [{ clusterIP: 7 }, 'spec.clusterIP: is a number, not a string', []],
    [
      { clusterIPs: [v4, '10.0.0.1'], ipFamilies: ['IPv4', 'IPv6'] },
      'spec.clusterIPs[1]: "10.0.0.1" is not an IPv6 address',
      [v4],
    ],
    [{ clusterIPs: [v4, v6], ipFamilies: ['IPv4', 'IPv4'] }, 'spec.ipFamilies[1]: IPv4 stands there twice', [v4]],
    [{ clusterIPs: [v4], ipFamilies: ['IPv5'] }, 'spec.ipFamilies[0]: "IPv5" is none of IPv4, IPv6', []],
  ])('with %j says %s', (spec, problem, expected) => {
    expect(service(spec)).toMatchObject({ clusterIPs: expected, problems: [problem] });
  });

  test.each([
    [{}, 0, []],
    [{ sessionAffinity: 'None', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }, 0, []],
    [{ sessionAffinity: 'ClientIP' }, 10800, []],
    [
      { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 90000 } } },
      10800,
      ['spec.sessionAffinityConfig.clientIP.timeoutSeconds: 90000 is not between 1 and 86400'],
    ],
    [{ sessionAffinity: 'Cookie' }, 0, ['spec.sessionAffinity: "Cookie" is none of None, ClientIP']],
  ])('with %j has affinity for %d seconds', (spec, affinitySeconds, problems) => {
    expect(service(spec)).toMatchObject({ affinitySeconds, problems });
  });

  test('leaves out addresses and ranges that mean nothing', () => {
    const spec = { externalIPs: ['x', '203.0.113.1'], loadBalancerSourceRanges: ['10.0.0.0/33', 7, '10.0.0.0/8'] };
    const result = service(spec, { status: { loadBalancer: { ingress: [{ ip: 'lb' }, { ip: '203.0.113.2' }] } } });
    expect(result).toMatchObject({
      externalIPs: ['203.0.113.1'],
      loadBalancerIPs: ['203.0.113.2'],
      sourceRanges: [{ address: '10.0.0.0', length: 8 }],
      problems: [
        'spec.externalIPs[0]: "x" is not an IP address',
        'status.loadBalancer.ingress[0].ip: "lb" is not an IP address',
        'spec.loadBalancerSourceRanges[1]: is a number, not a string',
        'spec.loadBalancerSourceRanges[0]: "10.0.0.0/33" is not a network',
      ],
    });
  });

  test('with an annotation of 1 MB that is not ours forgets it', () => {
    expect(service({}, { annotations: { note: 'x'.repeat(1 << 20) } }).annotations).toEqual({});
  });

  test('with thousands of problems tells the first and how many more there are', () => {
    const { problems } = service({ ports: Array(2000).fill(7) });
    expect(problems).toHaveLength(51);
    expect(problems.at(-1)).toBe(': and 1950 more problems');
  });
});

describe('an EndpointSlice', () => {
  test('with everything is reduced to what is read', () => {
    const result = slice(
      {
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }, { name: '', port: 53, protocol: 'UDP' }],
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
    const plain = { nodeName: '', ready: true, serving: true, terminating: false, zoneHints: [], nodeHints: [], podUid: '' };
    expect(result).toEqual({
      namespace: 'shop',
      name: 'web-x',
      serviceName: 'web',
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
          podUid: 'p-1',
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
    ['with an empty one', { metadata: { name: 's', namespace: 'x', labels: { 'kubernetes.io/service-name': '' } } }],
  ])('%s is told as deleted', (_name, fields) => {
    const metadata = { name: 's', namespace: 'x', labels: { 'kubernetes.io/service-name': 'web' } };
    const change = reducer.change('EndpointSlice', { metadata, addressType: 'IPv4', ...fields });
    expect(change).toEqual({ type: 'delete', kind: 'EndpointSlice', name: { namespace: 'x', name: 's' } });
  });

  test('of an unknown kind of addresses is unusable', () => {
    const metadata = { name: 's', namespace: 'x', labels: { 'kubernetes.io/service-name': 'web' } };
    expect(reducer.change('EndpointSlice', { metadata, addressType: 'IPX' })).toMatchObject({
      type: 'unusable',
      problems: [{ field: 'addressType', message: '"IPX" is none of IPv4, IPv6, FQDN' }],
    });
  });

  test('shares the names that come again and again', () => {
    const read = () => slice(JSON.parse('{"endpoints":[{"addresses":["10.0.0.1"],"hints":{"forZones":[{"name":"zone-a"}]}}]}') as object);
    expect(read().endpoints[0]?.zoneHints).toBe(read().endpoints[0]?.zoneHints);
  });
});

describe('a Node', () => {
  test('tells its addresses, internal ones first, its pod networks and its zone', () => {
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
      problems: ['status.addresses[3].address: "n1.local" is not an IP address', 'spec.podCIDRs[2]: "x" is not a network'],
    });
  });

  test.each([
    ['a bare one', {}, true],
    ['another taint', { spec: { taints: [{ key: 'x' }] } }, true],
    ['about to be deleted by the autoscaler', { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] } }, false],
    ['being deleted', { metadata: { name: 'n1', deletionTimestamp: '2025-01-01T00:00:00Z' } }, false],
  ])('%s: eligible', (_name, fields, isEligible) => {
    expect(node(fields)).toMatchObject({ isEligible, problems: [] });
  });

  test('with the older single pod network', () => {
    expect(node({ spec: { podCIDR: '10.1.0.0/24' } }).podCIDRs).toEqual([{ address: '10.1.0.0', length: 24 }]);
  });
});

describe('an object of which nothing can be used', () => {
  test.each([
    ['null', null, ': is nothing, not an object'],
    ['text', 'x', ': is a string ("x"), not an object'],
    ['no metadata', { spec: {} }, 'metadata.name: is missing'],
    ['a name that is no text', { metadata: { name: 7 } }, 'metadata.name: is missing'],
    ['no spec', { metadata: { name: 'a', namespace: 'b' } }, 'spec: is missing'],
    ['a spec that is no object', { metadata: { name: 'a', namespace: 'b' }, spec: [] }, 'spec: is an array, not an object'],
  ])('%s', (_name, raw, problem) => {
    const change = reducer.change('Service', raw);
    expect(change.type).toBe('unusable');
    if (change.type === 'unusable') expect(change.problems.map(print)).toContain(problem);
  });
});

test('whatever JSON comes in, a change comes out', () => {
  const fieldNames = fc.constantFrom(
    ...['metadata', 'name', 'namespace', 'labels', 'annotations', 'spec', 'status', 'ports', 'port', 'nodePort', 'protocol'],
    ...['clusterIP', 'clusterIPs', 'ipFamilies', 'externalIPs', 'loadBalancer', 'ingress', 'ip', 'endpoints', 'addresses'],
    ...['conditions', 'ready', 'hints', 'forZones', 'targetRef', 'uid', 'addressType', 'taints', 'podCIDRs', 'type', '__proto__'],
  );
  const leaf = fc.oneof(fc.constantFrom('IPv4', '10.0.0.1', 'x', '', null, 80, -1, 1e9, true), fc.string());
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof({ depthSize: 'small' }, leaf, fc.dictionary(fieldNames, tie('tree'), { maxKeys: 8 }), fc.array(tie('tree'))),
  }));
  const object = fc.dictionary(fieldNames, tree);
  fc.assert(
    fc.property(fc.constantFrom<Kind>('Service', 'EndpointSlice', 'Node'), object, (kind, fields) => {
      const metadata = { ...fields, name: 'a', namespace: 'b', labels: { 'kubernetes.io/service-name': 'web' } };
      const named = { ...fields, metadata, addressType: 'IPv4', spec: fields, status: fields };
      expect(reducer.change(kind, named).type).toBe('set');
      expect(() => reducer.change(kind, fields)).not.toThrow();
    }),
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
