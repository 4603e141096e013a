import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { families } from '../../pkg/ip/address.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import type { Change, Service } from '../../pkg/kube/types.ts';
import { ip } from '../support/addresses.ts';
import { ask, type Connection } from '../support/network/client.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { servicePort } from '../support/objects.ts';
import { silence } from '../support/patience.ts';
import { remove } from '../support/proxier.ts';
import { connect, Stream } from '../support/stream.ts';
import { askAll, ShopService, serveAll, type Target, unanswered } from '../support/traffic.ts';
import { listed, weights } from '../support/weights.ts';

// How drains end on a kernel: Services that are deleted, ports that are removed, deadlines, and schedulers that hash.

const network = new Network();
const outside = Array.from({ length: 60 }, (_, index) => ip(`203.0.113.${index + 10}`));
const crowd = network.addClient('client', outside);
const web1 = network.addPod('web1', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const web2 = network.addPod('web2', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const { node } = network;
const servers: Server[] = [];

beforeAll(() => {
  servers.push(...[web1, web2].flatMap((host) => serveAll(host)));
  // What is for nobody here leaves by the default route, as on most nodes.
  for (const line of ['link add away type dummy', 'link set away up', 'route add default dev away'])
    node.namespace.run('ip', ...line.split(' '));
});

afterAll(() => {
  for (const server of servers) server.close();
  network.close();
});

function stream(
  who: Host,
  { addresses: { IPv4: address }, port }: Target,
  protocol: 'TCP' | 'SCTP' = 'TCP',
) {
  return Stream.open(who, { protocol, address, port });
}

function idle(who: Host, { addresses: { IPv4: address }, port }: Target): Promise<Connection> {
  return connect(who, { protocol: 'TCP', address, port });
}

/** The Service and its slices are deleted. */
function deletion({ name }: ShopService): readonly Change[] {
  return [
    remove('Service', name),
    ...families.map((family) => remove('EndpointSlice', `${name}-${family.toLowerCase()}`)),
  ];
}

/** A Service without some protocol's port. */
function without(shop: ShopService, protocol: 'TCP'): Partial<Service> {
  const left = protocols.filter((some) => some !== protocol);
  return {
    ports: left.map((some) =>
      servicePort({ name: some.toLowerCase(), protocol: some, nodePort: shop.nodePort.port }),
    ),
  };
}

describe('with a deadline of six seconds', () => {
  const shop = new ShopService('web', 2);
  const talking = new ShopService('talking', 3);
  const again = new ShopService('again', 4);
  let proxy: NodeProxy;

  beforeAll(async () => {
    proxy = new NodeProxy(node.namespace, {
      drains: { mode: 'pod', timeout: 6_000 },
    });
    proxy.report(...[shop, talking, again].map((some) => some.service()));
    proxy.report(...[shop, talking, again].flatMap((some) => some.slices(web1)));
    await proxy.settled();
  });

  afterAll(async () => {
    await proxy.stop();
  });

  test('a Service that is deleted refuses new clients, and cuts old ones at the deadline unless they talk', async () => {
    const waiting = await idle(caller, shop.vip);
    const fromOutside = await idle(crowd, shop.nodePort);
    const streams = await Promise.all([
      stream(caller, talking.vip),
      stream(node, talking.vip),
      stream(crowd, talking.nodePort),
      stream(caller, talking.vip, 'SCTP'),
    ]);
    proxy.report(...deletion(shop), ...deletion(talking));
    await proxy.settled();
    expect(await askAll(caller, shop.vip, { patience: silence })).toEqual(unanswered);
    const isLeft = () =>
      listed(node, web1).filter(
        ({ virtualServer }) => virtualServer.endsWith('.2:80') || virtualServer.endsWith(':30081'),
      );
    await expect.poll(() => isLeft().length).toBe(0);
    // The drain ends a moment after the kernel has deleted its real server.
    await expect.poll(() => proxy.reports.drains).toContain('deadline');
    expect(await waiting.ask()).toEqual({ kind: 'reset' });
    expect(await fromOutside.ask()).toEqual({ kind: 'reset' });
    const ipvs = () => node.namespace.run('ipvsadm', '-Sn');
    await expect.poll(ipvs).not.toContain(`${shop.vip.addresses.IPv4}:80`);
    await proxy.settled();
    expect(node.namespace.run('ip', 'addr')).not.toContain(`${shop.vip.addresses.IPv4}/`);
    expect(node.namespace.run('ipset', 'save')).not.toMatch(/172\.30\.0\.2\b/);
    expect(await Promise.all(streams.map((some) => some.next(2)))).toEqual(
      streams.map(() => undefined),
    );
    await Promise.all(streams.map((some) => some.stop()));
  });

  test('what stood for it goes in the order that leaves nobody in silence', () => {
    const steps = [
      '-rs 172.30.0.2:80/TCP',
      '-entry KUBE-CLUSTER-IP',
      '-vs 172.30.0.2:80/TCP',
      '-address 172.30.0.2',
      '-entry KUBE-IPVS-IPS',
    ];
    const lines = proxy.log
      .lines()
      .filter((line) => line.includes('172.30.0.2') && line.includes('applied'));
    const places = steps
      .slice(1)
      .map((step) => lines.findIndex((line) => line.replace(/ IPv4| IPv6/, '').includes(step)));
    expect({ places, lines }).toEqual({
      places: places.toSorted((one, other) => one - other),
      lines,
    });
    expect(places, lines.join('\n')).not.toContain(-1);
  });

  test('a port that is removed drains, and the others go on', async () => {
    const streams = [await stream(caller, again.vip), await stream(caller, again.vip, 'SCTP')];
    proxy.report(again.service(without(again, 'TCP')));
    await proxy.settled();
    const to = { address: again.vip.addresses.IPv4, port: 80 };
    for (const protocol of ['SCTP', 'UDP'] as const)
      expect(await ask(caller, { ...to, protocol })).toMatchObject({ server: 'web1' });
    const { kind } = await ask(caller, { ...to, protocol: 'TCP', patience: silence });
    expect(kind).toMatch(/refused|timeout/);
    expect(await Promise.all(streams.map((some) => some.next(3)))).toEqual([undefined, undefined]);
    for (const some of streams) await some.stop();
    proxy.report(again.service());
    await proxy.settled();
  });

  test('a Service that is created again takes its virtual servers over at once, with their connections', async () => {
    const streams = await Promise.all([
      stream(caller, again.vip),
      stream(crowd, again.nodePort),
      stream(caller, again.vip, 'SCTP'),
    ]);
    const before = proxy.log.lines().length;
    proxy.report(...deletion(again));
    await proxy.settled();
    expect(
      (
        await ask(caller, {
          protocol: 'TCP',
          address: again.vip.addresses.IPv4,
          port: 80,
          patience: silence,
        })
      ).kind,
    ).toMatch(/refused|timeout/);
    expect(await Promise.all(streams.map((some) => some.next(2)))).toEqual(
      streams.map(() => undefined),
    );
    proxy.report(again.service({ uid: 'another', created: 5 }), ...again.slices(web1));
    await proxy.settled();
    expect((await askAll(caller, again.vip))['TCP IPv4']).toBe('web1 saw 10.0.1.11');
    expect(weights(node, web1, `TCP ${again.vip.addresses.IPv4}`)).toEqual([1]);
    expect(await Promise.all(streams.map((some) => some.next(2)))).toEqual(
      streams.map(() => undefined),
    );
    const since = proxy.log.lines().slice(before);
    expect(since.filter((line) => line.includes('-vs 172.30.0.4:80/TCP'))).toEqual([]);
    await Promise.all(streams.map((some) => some.stop()));
  });
});

describe.each([
  { scheduler: 'sh', number: 5 },
  { scheduler: 'mh', number: 6 },
])('scheduler $scheduler', ({ scheduler, number }) => {
  const shop = new ShopService(scheduler, number);
  let proxy: NodeProxy;

  beforeAll(async () => {
    proxy = new NodeProxy(node.namespace, { scheduler });
    proxy.report(shop.service(), ...shop.slices(web1, web2));
    await proxy.settled();
  });

  afterAll(async () => {
    await proxy.stop();
  });

  /** How many of 60 new clients got which answer. */
  async function sixty(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (let start = 0; start < outside.length; start += 15) {
      const some = outside.slice(start, start + 15).map((source) =>
        ask(crowd, {
          protocol: 'TCP',
          address: shop.vip.addresses.IPv4,
          port: 80,
          source,
        }),
      );
      for (const answer of await Promise.all(some)) {
        const name = answer.kind === 'answer' ? answer.server : answer.kind;
        counts[name] = (counts[name] ?? 0) + 1;
      }
    }
    return counts;
  }

  test('refuses no new client while one of two real servers drains', async () => {
    const before = await sixty();
    const connections = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((index) =>
        connect(crowd, {
          protocol: 'TCP',
          address: shop.vip.addresses.IPv4,
          port: 80,
          source: ip(`203.0.113.${index + 20}`),
        }),
      ),
    );
    const whose = await Promise.all(connections.map((connection) => connection.ask()));
    const name = whose.map((answer) => ('server' in answer ? answer.server : ''))[0];
    const [drained, other] = name === 'web1' ? [web1, web2] : [web2, web1];
    proxy.report(...shop.slices({ host: drained, ready: false }, other));
    await proxy.settled();
    const left = weights(node, drained, `TCP ${shop.vip.addresses.IPv4}`);
    expect(left).toEqual([0]);
    expect(await sixty()).toEqual({ [other.name]: 60 });
    const [first] = connections;
    expect(await first?.ask()).toMatchObject({ kind: 'answer', server: drained.name });
    for (const connection of connections) connection.close();
    expect(Object.keys(before)).toHaveLength(2);
  });
});
