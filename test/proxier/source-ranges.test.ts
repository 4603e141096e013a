import { afterEach, describe, expect, test } from 'vitest';
import type { IpAddress } from '../../pkg/ip/address.ts';
import type { Change, Service } from '../../pkg/kube/types.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import type { Packet } from '../../pkg/trace/packet.ts';
import { ip, net } from '../support/addresses.ts';
import { endpoint, node, service, servicePort, slice } from '../support/objects.ts';
import { remove, Stand, setNode, setService, setSlice } from '../support/proxier.ts';
import { TracedMoments } from '../support/traced-moments.ts';

// Source ranges of load balancers while they, the ports and the endpoints change: what packets meet in every state that the kernel passes
// through, write by write. Whoever is let in before and after a change is let in throughout; whoever is not is kept out throughout.

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

const both = [
  {
    family: 'IPv4',
    vip: ip('203.0.113.80'),
    clusterIPs: ['172.30.0.1', '172.30.0.2'].map(ip),
    web: '10.0.1.1',
    other: '10.0.1.2',
    node: ip('192.168.0.10'),
    allowed: ip('203.0.113.7'),
    stranger: ip('203.0.113.99'),
    ranges: {
      clients: '203.0.113.0/28',
      moreClients: '203.0.113.0/27',
      client: '203.0.113.7/32',
      strangers: '203.0.113.96/28',
      node: '192.168.0.10/32',
      nodes: '192.168.0.0/24',
      everybody: '0.0.0.0/0',
    },
  },
  {
    family: 'IPv6',
    vip: ip('2001:db8:203:113::80'),
    clusterIPs: ['fd00:172:30::1', 'fd00:172:30::2'].map(ip),
    web: 'fd00:10:0:1::1',
    other: 'fd00:10:0:1::2',
    node: ip('fd00:192:168::10'),
    allowed: ip('2001:db8:203:113::7'),
    stranger: ip('2001:db8:203:113::99'),
    ranges: {
      clients: '2001:db8:203:113::/124',
      moreClients: '2001:db8:203:113::/123',
      client: '2001:db8:203:113::7/128',
      strangers: '2001:db8:203:113::90/124',
      node: 'fd00:192:168::10/128',
      nodes: 'fd00:192:168::/64',
      everybody: '::/0',
    },
  },
] as const;

type Range = keyof (typeof both)[number]['ranges'];

describe.each(both)('$family', (kind) => {
  const eth0 = { kind: 'device', name: 'eth0' } as const;
  const to = { destination: kind.vip, port: 80, protocol: 'TCP' } as const;
  const clients = {
    allowed: { ...to, source: kind.allowed, origin: eth0 },
    stranger: { ...to, source: kind.stranger, origin: eth0 },
    node: { ...to, source: kind.node, origin: { kind: 'node' } },
  } as const satisfies Record<string, Packet>;
  const nameOf = (address: IpAddress) => (address === kind.web ? 'web' : 'other');

  function limited(ranges: readonly Range[], over: Partial<Service> = {}) {
    return setService(
      service({
        type: 'LoadBalancer',
        clusterIPs: kind.clusterIPs.slice(0, 1),
        loadBalancerIPs: [kind.vip],
        sourceRanges: ranges.map((range) => net(kind.ranges[range])),
        ...over,
      }),
    );
  }

  const web = setSlice(slice([endpoint(kind.web, { nodeName: 'here' })]));

  async function start(...ranges: readonly Range[]) {
    const stand = new Stand();
    stands.push(stand);
    const moments = new TracedMoments(stand.kernel);
    stand.report(setNode(node({ addresses: [kind.node] })), limited(ranges), web);
    await stand.sync();
    await stand.settle(seconds(1));
    const created = met();
    /** What each client met since the last call, at any moment. */
    function met(port = 80) {
      const outcomes = (packet: Packet) => [
        ...new Set(moments.outcomes({ ...packet, port }, nameOf).toSorted()),
      ];
      const { allowed, stranger, node: here } = clients;
      return { allowed: outcomes(allowed), stranger: outcomes(stranger), node: outcomes(here) };
    }
    const change = async (...changes: readonly Change[]) => {
      moments.forget();
      stand.report(...changes);
      await stand.settle(seconds(10));
      return met();
    };
    return { stand, moments, met, change, created };
  }

  const served = ['web as the node'];
  const dropped = ['dropped'];

  test('a new one is never open to strangers', async () => {
    const { created } = await start('clients', 'nodes');
    expect(created.stranger).not.toContain('web as the node');
    expect(created.stranger).toContain('dropped');
    expect(created.allowed).toContain('web as the node');
    expect(created.allowed).not.toContain('dropped');
  });

  test.each<[string, readonly Range[], readonly Range[]]>([
    ['a network comes', ['clients', 'nodes'], ['clients', 'nodes', 'moreClients']],
    ['a network goes', ['clients', 'moreClients', 'nodes'], ['clients', 'nodes']],
    ['networks are others that have them too', ['clients', 'nodes'], ['moreClients', 'node']],
    ['single addresses take the place of networks', ['clients', 'nodes'], ['client', 'node']],
    ['networks take the place of single addresses', ['client', 'node'], ['moreClients', 'nodes']],
  ])(
    'while %s, clients and the node in them are served, and strangers are not',
    async (_, before, after) => {
      const { change } = await start(...before);
      expect(await change(limited(after))).toEqual({
        allowed: served,
        node: served,
        stranger: dropped,
      });
      expect(await change(limited(before))).toEqual({
        allowed: served,
        node: served,
        stranger: dropped,
      });
    },
  );

  test('the node comes into them and goes out of them, and nobody else notices', async () => {
    const { change, created } = await start('clients');
    expect(created.node).toContain('web dropped');
    expect(created.node).not.toContain('web as the node');
    const into = await change(limited(['clients', 'nodes']));
    expect(into).toEqual({ allowed: served, stranger: dropped, node: [...served, 'web dropped'] });
    const out = await change(limited(['clients']));
    expect(out).toEqual({ allowed: served, stranger: dropped, node: [...served, 'web dropped'] });
    // Its address is another one by now.
    const moved = await change(setNode(node({ addresses: [kind.allowed] })));
    expect(moved).toEqual({ allowed: served, stranger: dropped, node: [...served, 'web dropped'] });
  });

  test('opened to everybody and closed again, it is never closed to who may come', async () => {
    const { change } = await start('clients', 'nodes');
    for (const open of [limited(['everybody']), limited([])]) {
      const opened = await change(open);
      expect(opened).toEqual({ allowed: served, node: served, stranger: ['dropped', ...served] });
      const closed = await change(limited(['clients', 'nodes']));
      expect(closed).toEqual({ allowed: served, node: served, stranger: ['dropped', ...served] });
    }
    expect(await change(limited(['strangers']))).toMatchObject({
      stranger: ['dropped', ...served],
    });
  });

  test('ports and endpoints come and go', async () => {
    const { change, met, moments } = await start('clients', 'nodes');
    const ports = [servicePort({ name: 'a' }), servicePort({ name: 'b', port: 81 })];
    const slicePorts = ports.map(({ name, protocol }) => ({ name, protocol, port: 8080 }));
    const hosts = [kind.web, kind.other].map((address) => endpoint(address, { nodeName: 'here' }));
    const two = setSlice(slice(hosts, { ports: slicePorts }));
    const more = await change(limited(['clients', 'nodes'], { ports }), two);
    expect(more.stranger).toEqual(dropped);
    expect(
      [...more.allowed, ...more.node].filter((outcome) => !outcome.endsWith('as the node')),
    ).toEqual([]);
    const second = met(81);
    expect(second.stranger).not.toContain('web as the node');
    expect(second.stranger.at(0)).toBe('dropped');
    moments.forget();
    const fewer = await change(limited(['clients', 'nodes'], { ports: ports.slice(0, 1) }), web);
    expect(fewer.stranger).toEqual(dropped);
    expect(met(81).stranger).not.toContain('web as the node');
  });

  test('two Services on one address and different ports have ranges of their own', async () => {
    const { stand, change, met } = await start('clients', 'nodes');
    const other = limited(['strangers'], {
      name: 'other',
      created: 2,
      clusterIPs: kind.clusterIPs.slice(1),
      ports: [servicePort({ port: 81 })],
    });
    const slices = setSlice(
      slice([endpoint(kind.other, { nodeName: 'here' })], {
        name: 'other-1',
        serviceName: 'other',
      }),
    );
    const seen = await change(other, slices);
    expect(seen).toEqual({ allowed: served, node: served, stranger: dropped });
    const second = met(81);
    expect(second.stranger).toContain('other as the node');
    expect([...second.allowed, ...second.node]).not.toContain('other as the node');
    // One opens, the other stays as it is.
    expect(await change(limited([]))).toMatchObject({ allowed: served });
    expect(met(81)).toMatchObject({ allowed: dropped, stranger: ['other as the node'] });
    const gone = await change(remove('Service', 'web'), remove('EndpointSlice', 'web-1'));
    await stand.settle(minutes(2));
    expect(gone.node).not.toContain('other as the node');
    expect(met(81)).toMatchObject({ allowed: dropped, stranger: ['other as the node'] });
  });

  test('one that goes is never open to strangers on its way', async () => {
    const { stand, change, met } = await start('clients', 'nodes');
    const going = await change(remove('Service', 'web'), remove('EndpointSlice', 'web-1'));
    await stand.settle(minutes(2));
    for (const { stranger } of [going, met()]) expect(stranger).not.toContain('web as the node');
  });

  test('a restart with other ranges lets nobody in who may not come', async () => {
    const { stand, moments, met } = await start('clients', 'nodes');
    await stand.stop();
    stands.pop();
    moments.forget();
    const again = new Stand({ kernel: stand.kernel });
    stands.push(again);
    again.report(setNode(node({ addresses: [kind.node] })), limited(['moreClients', 'node']), web);
    await again.sync();
    await again.settle(seconds(5));
    expect(met()).toEqual({ allowed: served, node: served, stranger: dropped });
  });
});
