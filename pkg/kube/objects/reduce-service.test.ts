import { describe, expect, test } from 'vitest';
import type { Service } from '../types.ts';
import { Reducer } from './reduce.ts';

const reducer = new Reducer();

function service(
  spec: object,
  more: { status?: unknown; annotations?: unknown } = {},
): Service & { problems: string[] } {
  const raw = {
    metadata: { name: 'web', namespace: 'shop', annotations: more.annotations },
    spec: { clusterIP: '172.30.0.1', ...spec },
    status: more.status,
  };
  const change = reducer.change('Service', raw);
  if (change.type !== 'set' || change.kind !== 'Service') throw new Error(JSON.stringify(change));
  const problems = change.problems.map(({ field, message }) => `${field}: ${message}`);
  return { ...change.object, problems };
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
          ingress: [
            { ip: '203.0.113.8' },
            { hostname: 'x' },
            { ip: '203.0.113.1', ipMode: 'Proxy' },
            { ip: '::2', ipMode: 'VIP' },
          ],
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
        key: 'shop/web',
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
    [
      'ipFamilies: the address at the index of each',
      { clusterIPs: [v6, v4], ipFamilies: ['IPv6', 'IPv4'] },
      [v6, v4],
    ],
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
    [
      { clusterIPs: [v4, v6], ipFamilies: ['IPv4', 'IPv4'] },
      'spec.ipFamilies[1]: IPv4 stands there twice',
      [v4],
    ],
    [
      { clusterIPs: [v4], ipFamilies: ['IPv5'] },
      'spec.ipFamilies[0]: "IPv5" is none of IPv4, IPv6',
      [],
    ],
  ])('with %j says %s', (spec, problem, expected) => {
    expect(service(spec)).toMatchObject({ clusterIPs: expected, problems: [problem] });
  });

  test.each([
    [{}, 0, []],
    [
      { sessionAffinity: 'None', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } },
      0,
      [],
    ],
    [{ sessionAffinity: 'ClientIP' }, 10800, []],
    [
      {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 90000 } },
      },
      10800,
      ['spec.sessionAffinityConfig.clientIP.timeoutSeconds: 90000 is not between 1 and 86400'],
    ],
    [
      { sessionAffinity: 'Cookie' },
      0,
      ['spec.sessionAffinity: "Cookie" is none of None, ClientIP'],
    ],
  ])('with %j has affinity for %d seconds', (spec, affinitySeconds, problems) => {
    expect(service(spec)).toMatchObject({ affinitySeconds, problems });
  });

  test('leaves out addresses and ranges that mean nothing', () => {
    const spec = {
      externalIPs: ['x', '203.0.113.1'],
      loadBalancerSourceRanges: ['10.0.0.0/33', 7, '10.0.0.0/8'],
    };
    const result = service(spec, {
      status: { loadBalancer: { ingress: [{ ip: 'lb' }, { ip: '203.0.113.2' }] } },
    });
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

  test('with thousands of problems reports the first and how many more there are', () => {
    const { problems } = service({ ports: Array(2000).fill(7) });
    expect(problems).toHaveLength(51);
    expect(problems.at(-1)).toBe(': and 1950 more problems');
  });
});
