import { describe, expect, test } from 'vitest';
import { ip, net } from '../../../test/support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../../../test/support/objects.ts';
import { entryKey } from '../../ipset/ipset.ts';
import { printRealServer, printVirtualServer } from '../../ipvs/ipvs.ts';
import { isBound } from './external-addresses.ts';
import {
  type Footprint,
  type NodeContext,
  type ServiceObjects,
  type SetEntry,
} from './footprint.ts';
import { footprint, footprintsByPort, realServerLimit } from './footprints.ts';
import { setName } from './sets.ts';
import { isClosedToNode } from './source-ranges.ts';

const node: NodeContext = {
  nodeName: 'here',
  zone: '',
  scheduler: 'rr',
  families: ['IPv4', 'IPv6'],
  nodePortAddresses: [ip('192.168.0.10'), ip('2001:db8::10')],
  nodeAddresses: new Set([ip('192.168.0.10'), ip('2001:db8::10')]),
  externalIPs: true,
  nodeIPs: [ip('192.168.0.10'), ip('2001:db8::10')],
};

function of(objects: Partial<ServiceObjects>, over: Partial<NodeContext> = {}): Footprint {
  return footprint(
    {
      service: service(),
      slices: [slice([endpoint('10.0.0.1'), endpoint('10.0.0.2')])],
      vanished: [],
      ...objects,
    },
    { ...node, ...over },
  );
}

/** One line for each front end, then its real servers and entries. */
function print({ frontEnds, hairpins }: Footprint): readonly string[] {
  const entry = ({ set, family, entry: element }: SetEntry) =>
    `${setName(set, family)} ${entryKey(element)}`;
  return [
    ...frontEnds.flatMap(({ virtualServer, isBound, realServers, entries }) => [
      `${printVirtualServer(virtualServer)}${isBound ? ' bound' : ''}`,
      ...[...realServers.values()].map(
        (realServer) => `  -> ${printRealServer(realServer)} ${realServer.weight}`,
      ),
      ...entries.map((some) => `  in ${entry(some)}`),
    ]),
    ...[...hairpins].map(entry),
  ];
}

describe('what one Service wants in the kernel', () => {
  test('a ClusterIP: a bound virtual server with all its endpoints', () => {
    expect(print(of({}))).toEqual([
      '172.30.0.1:80/TCP bound',
      '  -> 10.0.0.1:8080 1',
      '  -> 10.0.0.2:8080 1',
      '  in KUBE-CLUSTER-IP 172.30.0.1,tcp:80',
      '  in KUBE-IPVS-IPS 172.30.0.1',
    ]);
  });

  test('a NodePort: a virtual server more for each node address of its family', () => {
    const dual = service({
      type: 'NodePort',
      clusterIPs: [ip('172.30.0.1'), ip('fd00:30::1')],
      ports: [servicePort({ nodePort: 30_080 })],
    });
    expect(print(of({ service: dual, slices: [] }))).toEqual([
      '172.30.0.1:80/TCP bound',
      '  in KUBE-CLUSTER-IP 172.30.0.1,tcp:80',
      '  in KUBE-IPVS-IPS 172.30.0.1',
      '192.168.0.10:30080/TCP',
      '  in KUBE-NODE-PORT-TCP 30080',
      '[fd00:30::1]:80/TCP bound',
      '  in KUBE-6-CLUSTER-IP fd00:30::1,tcp:80',
      '  in KUBE-6-IPVS-IPS fd00:30::1',
      '[2001:db8::10]:30080/TCP',
      '  in KUBE-6-NODE-PORT-TCP 30080',
    ]);
  });

  test('SCTP node ports name the node addresses, and external policy Local adds the local sets', () => {
    const sctp = service({
      type: 'NodePort',
      externalTrafficPolicy: 'Local',
      ports: [servicePort({ protocol: 'SCTP', nodePort: 30_081 })],
    });
    expect(print(of({ service: sctp, slices: [] })).slice(3)).toEqual([
      '192.168.0.10:30081/SCTP',
      '  in KUBE-NODE-PORT-SCTP-HASH 192.168.0.10,sctp:30081',
      '  in KUBE-NODE-PORT-LOCAL-SCTP-HASH 192.168.0.10,sctp:30081',
    ]);
  });

  test('external IPs: bound unless the node has them, in the set of their policy', () => {
    const externalIPs = [ip('203.0.113.1'), ip('192.168.0.10'), ip('2001:db8:1::1')];
    const policy = { type: 'NodePort', externalTrafficPolicy: 'Local' } as const;
    expect(print(of({ service: service({ externalIPs }), slices: [] })).slice(3)).toEqual([
      '203.0.113.1:80/TCP bound',
      '  in KUBE-EXTERNAL-IP 203.0.113.1,tcp:80',
      '  in KUBE-IPVS-IPS 203.0.113.1',
      '192.168.0.10:80/TCP',
      '  in KUBE-EXTERNAL-IP 192.168.0.10,tcp:80',
    ]);
    expect(
      print(of({ service: service({ externalIPs, ...policy }), slices: [] })).slice(3, 5),
    ).toEqual(['203.0.113.1:80/TCP bound', '  in KUBE-EXTERNAL-IP-LOCAL 203.0.113.1,tcp:80']);
  });

  test('no external IPs where they are not to be served', () => {
    const over = { externalIPs: [ip('203.0.113.1')] };
    const lines = print(of({ service: service(over), slices: [] }, { externalIPs: false }));
    expect(lines).toEqual([
      '172.30.0.1:80/TCP bound',
      '  in KUBE-CLUSTER-IP 172.30.0.1,tcp:80',
      '  in KUBE-IPVS-IPS 172.30.0.1',
    ]);
  });

  test('external policy Local means nothing to external IPs of a ClusterIP Service', () => {
    const over = { externalIPs: [ip('203.0.113.1')], externalTrafficPolicy: 'Local' } as const;
    expect(print(of({ service: service(over) }))).toContain(
      '  in KUBE-EXTERNAL-IP 203.0.113.1,tcp:80',
    );
  });

  test('load-balancer addresses, in the set of their policy too', () => {
    const over = { type: 'LoadBalancer', loadBalancerIPs: [ip('203.0.113.2')] } as const;
    const local = { ...over, externalTrafficPolicy: 'Local' } as const;
    expect(print(of({ service: service(over), slices: [] })).slice(3)).toEqual([
      '203.0.113.2:80/TCP bound',
      '  in KUBE-LOAD-BALANCER 203.0.113.2,tcp:80',
      '  in KUBE-IPVS-IPS 203.0.113.2',
    ]);
    expect(print(of({ service: service(local), slices: [] })).slice(3, 6)).toEqual([
      '203.0.113.2:80/TCP bound',
      '  in KUBE-LOAD-BALANCER 203.0.113.2,tcp:80',
      '  in KUBE-LOAD-BALANCER-LOCAL 203.0.113.2,tcp:80',
    ]);
  });

  test.each([
    [
      'with the node inside',
      ['192.168.0.0/24', '198.51.100.7/32'],
      [
        'KUBE-LOAD-BALANCER-SOURCE-CIDR 203.0.113.2,tcp:80,192.168.0.0/24',
        'KUBE-LOAD-BALANCER-SOURCE-CIDR 203.0.113.2,tcp:80,198.51.100.7',
        'KUBE-LOAD-BALANCER-SOURCE-IP 203.0.113.2,tcp:80,203.0.113.2',
        'KUBE-LOAD-BALANCER-FW 203.0.113.2,tcp:80',
      ],
    ],
    [
      'with the node outside',
      ['198.51.100.0/24'],
      [
        'KUBE-LOAD-BALANCER-SOURCE-CIDR 203.0.113.2,tcp:80,198.51.100.0/24',
        'KUBE-LOAD-BALANCER-FW 203.0.113.2,tcp:80',
      ],
    ],
    [
      'of everybody',
      ['0.0.0.0/0'],
      [
        'KUBE-LOAD-BALANCER-SOURCE-CIDR 203.0.113.2,tcp:80,0.0.0.0/1',
        'KUBE-LOAD-BALANCER-SOURCE-CIDR 203.0.113.2,tcp:80,128.0.0.0/1',
        'KUBE-LOAD-BALANCER-SOURCE-IP 203.0.113.2,tcp:80,203.0.113.2',
        'KUBE-LOAD-BALANCER-FW 203.0.113.2,tcp:80',
      ],
    ],
    ['of the other family only: open', ['2001:db8::/32'], []],
  ])('source ranges %s', (_, ranges, expected) => {
    const limited = service({
      type: 'LoadBalancer',
      loadBalancerIPs: [ip('203.0.113.2')],
      sourceRanges: ranges.map(net),
    });
    const lines = print(of({ service: limited, slices: [] }));
    const isClosed = ranges.length === 1 && ranges[0]?.startsWith('198') === true;
    const [, balanced] = of({ service: limited, slices: [] }).frontEnds;
    expect(isClosedToNode(balanced?.entries ?? [])).toBe(isClosed);
    const isOfRanges = (line: string) => /SOURCE|-FW/.test(line);
    expect(lines.filter(isOfRanges)).toEqual(expected.map((line) => `  in ${line}`));
  });

  test('an address that several fields name has one virtual server, with the entries of all', () => {
    const same = service({
      type: 'LoadBalancer',
      loadBalancerIPs: [ip('203.0.113.2')],
      externalIPs: [ip('203.0.113.2'), ip('172.30.0.1')],
    });
    expect(print(of({ service: same, slices: [] }))).toEqual([
      '172.30.0.1:80/TCP bound',
      '  in KUBE-CLUSTER-IP 172.30.0.1,tcp:80',
      '  in KUBE-IPVS-IPS 172.30.0.1',
      '  in KUBE-EXTERNAL-IP 172.30.0.1,tcp:80',
      '203.0.113.2:80/TCP bound',
      '  in KUBE-LOAD-BALANCER 203.0.113.2,tcp:80',
      '  in KUBE-IPVS-IPS 203.0.113.2',
      '  in KUBE-EXTERNAL-IP 203.0.113.2,tcp:80',
    ]);
  });

  test('endpoints of this node reach themselves through the loop-back set, ready or not', () => {
    const local = [
      endpoint('10.0.0.1', { nodeName: 'here', ready: false, serving: false }),
      endpoint('10.0.0.2'),
    ];
    expect(print(of({ slices: [slice(local)] })).at(-1)).toBe(
      'KUBE-LOOP-BACK 10.0.0.1,tcp:8080,10.0.0.1',
    );
  });

  test.each([
    ['the only one left keeps its weight', [], ['  -> 10.0.0.9:8080 1']],
    [
      'beside others it gets no new connections',
      [endpoint('10.0.0.1')],
      ['  -> 10.0.0.1:8080 1', '  -> 10.0.0.9:8080 0'],
    ],
    ['that is back is as before', [endpoint('10.0.0.9')], ['  -> 10.0.0.9:8080 1']],
  ])('an endpoint that vanished a moment ago: %s', (_, present, expected) => {
    const objects = { slices: [slice(present)], vanished: [slice([endpoint('10.0.0.9')])] };
    expect(print(of(objects)).filter((line) => line.includes('->'))).toEqual(expected);
  });

  test('an endpoint that vanished while it was not chosen is not wanted', () => {
    const vanished = [
      slice([endpoint('10.0.0.9', { ready: false, serving: false, terminating: true })]),
    ];
    expect(print(of({ vanished })).filter((line) => line.includes('10.0.0.9'))).toEqual([]);
  });

  test.each([
    [
      'internal policy Local never falls back',
      { internalTrafficPolicy: 'Local' as const },
      0,
      'internal IPv4',
    ],
    [
      'external policy Local falls back to all',
      {
        type: 'NodePort' as const,
        externalTrafficPolicy: 'Local' as const,
        ports: [servicePort({ nodePort: 30_080 })],
      },
      2,
      'external IPv4',
    ],
  ] as const)('without local endpoints %s', (_, over, count, lack) => {
    const result = of({ service: service(over) });
    expect([...(result.frontEnds.at(-1)?.realServers.values() ?? [])].length).toBe(count);
    expect([...result.withoutLocalEndpoints]).toEqual([lack]);
  });

  test.each([
    ['rr', 0, 0, 0],
    ['rr', 600, 0x1, 600],
    ['sh', 0, 0x8, 0],
    ['mh', 0, 0x18, 0],
    ['mh', 60, 0x19, 60],
  ])(
    'scheduler %s with affinity %i s has flags %i',
    (scheduler, affinitySeconds, flags, timeout) => {
      expect(
        of({ service: service({ affinitySeconds }) }, { scheduler }).frontEnds[0]?.virtualServer,
      ).toMatchObject({ scheduler, flags, timeout, prefixLength: 32 });
    },
  );

  test.each([
    ['ExternalName', { type: 'ExternalName' as const }],
    ['headless', { clusterIPs: [] }],
  ])('%s wants nothing', (_, over) => {
    expect(of({ service: service(over) }).frontEnds).toEqual([]);
  });
});

test.each([
  ['allocated', '192.168.0.10', true],
  ['allocated', '172.30.0.1', true],
  ['external', '203.0.113.1', true],
  ['external', '192.168.0.10', false],
  ['loadBalancer', '203.0.113.1', true],
  ['loadBalancer', '2001:db8::10', false],
] as const)(
  'an address that is %s, %s, goes onto the dummy device: %s',
  (kind, address, expected) => {
    expect(isBound(kind, { address: ip(address), node })).toBe(expected);
  },
);

test("an endpoint on the node's own address is served", () => {
  const slices = [slice([endpoint('192.168.0.10', { nodeName: 'here' })])];
  const [frontEnd] = footprint({ service: service(), slices, vanished: [] }, node).frontEnds;
  expect([...(frontEnd?.realServers.values() ?? [])].map(printRealServer)).toEqual([
    '192.168.0.10:8080',
  ]);
});

test('a Service has a limit of real servers, beyond which its ports have none', () => {
  const ports = Array.from({ length: 300 }, (_, index) =>
    servicePort({ name: `p${index}`, port: index + 1 }),
  );
  const slices = [
    slice(
      Array.from({ length: 1_000 }, (_, index) => endpoint(`10.0.${index >> 8}.${index & 255}`)),
      { ports: ports.map(({ name, protocol, port }) => ({ name, protocol, port })) },
    ),
  ];
  const objects = { service: service({ ports }), slices, vanished: [] };
  let frontEnds = 0;
  let realServers = 0;
  let cutOff = 0;
  for (const step of footprintsByPort(objects, node)) {
    frontEnds += step?.frontEnds.length ?? 0;
    realServers += step?.frontEnds[0]?.realServers.capacity ?? 0;
    if (step?.isCutOff === true) cutOff++;
  }
  expect([frontEnds, realServers, cutOff]).toEqual([300, realServerLimit, 100]);
});
