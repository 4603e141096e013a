import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Family } from '../../pkg/ip/address.ts';
import type { Protocol } from '../../pkg/ip/protocol.ts';
import { ip } from '../support/addresses.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { connect, Stream } from '../support/stream.ts';
import {
  askAll,
  kinds,
  ShopService,
  serveAll,
  type Table,
  type Target,
  table,
} from '../support/traffic.ts';
import { listed, weights } from '../support/weights.ts';

// What becomes of connections whose server is not wanted any more, comes back, and is gone: every way to a Service, in both
// families, with the protocols that have connections.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const web1 = network.addPod('web1', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const web2 = network.addPod('web2', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const shop = new ShopService('web', 1);
const sticky = new ShopService('sticky', 2);
const servers: Server[] = [];
let proxy: NodeProxy;

interface Way {
  readonly name: string;
  readonly from: Host;
  readonly to: Target;
}

const ways: readonly Way[] = [
  { name: 'a pod', from: caller, to: shop.vip },
  { name: 'the node', from: network.node, to: shop.vip },
  { name: 'the pod itself', from: web1, to: shop.vip },
  { name: 'a client outside', from: client, to: shop.nodePort },
  { name: 'the node, through its port', from: network.node, to: shop.nodePort },
];

interface Line {
  readonly name: string;
  readonly way: Way;
  readonly protocol: Protocol;
  readonly family: Family;
}

const lines: readonly Line[] = ways.flatMap((way) =>
  kinds
    .filter(({ protocol }) => protocol !== 'UDP')
    .map((kind) => ({ name: `${kind.protocol} ${kind.family} from ${way.name}`, way, ...kind })),
);

beforeAll(async () => {
  servers.push(...[web1, web2].flatMap((host) => serveAll(host)));
  proxy = new NodeProxy(network.node.namespace);
  proxy.report(shop.service(), ...shop.slices(web1));
  await proxy.settled();
});

afterAll(async () => {
  for (const server of servers) server.close();
  await proxy.stop();
  network.close();
});

/** Who answers new clients, twice each, so that round robin would come to either. */
async function answering(who: Host, target: Target): Promise<Table<Set<string>>> {
  const answers = [await askAll(who, target), await askAll(who, target)];
  const names = answers.map((each) =>
    Object.entries(each).map(([kind, answer]) => [kind, answer.split(' ')[0] ?? '']),
  );
  return table(({ protocol, family }) => {
    const kind = `${protocol} ${family}`;
    return new Set(
      names.flatMap((each) => each.filter(([of]) => of === kind).map(([, name]) => name ?? '')),
    );
  });
}

describe('long-lived connections', () => {
  const streams = new Map<string, Stream>();

  beforeAll(async () => {
    for (const { name, way, protocol, family } of lines) {
      const { addresses, port } = way.to;
      streams.set(
        name,
        await Stream.open(way.from, {
          protocol,
          address: addresses[family],
          port,
        }),
      );
    }
    proxy.report(...shop.slices(web1, web2));
    await proxy.settled();
  });

  afterAll(async () => {
    for (const stream of streams.values()) await stream.stop();
  });

  /** What goes wrong during so many more exchanges on each. */
  async function failures(count: number): Promise<readonly string[]> {
    const all = [...streams].map(
      async ([name, stream]) => [name, await stream.next(count)] as const,
    );
    return (await Promise.all(all)).flatMap(([name, failure]) =>
      failure === undefined ? [] : [`${name}: ${failure}`],
    );
  }

  test('carry on with every byte while their pod is now ready and now not, and new ones go elsewhere meanwhile', async () => {
    for (let round = 0; round < 3; round++) {
      proxy.report(...shop.slices({ host: web1, ready: false, serving: false }, web2));
      await proxy.settled();
      expect(weights(network.node, web1)).toContain(0);
      expect(weights(network.node, web1, 'TCP')).toEqual([0]);
      expect(weights(network.node, web1, 'SCTP')).toEqual([0]);
      if (round === 0)
        expect(await answering(caller, shop.vip)).toEqual(table(() => new Set(['web2'])));
      expect(await failures(2)).toEqual([]);
      proxy.report(...shop.slices(web1, web2));
      await proxy.settled();
      expect(weights(network.node, web1)).toEqual([1]);
      expect(await failures(2)).toEqual([]);
    }
    const left = listed(network.node, web1).filter(
      ({ virtualServer }) => !virtualServer.startsWith('UDP'),
    );
    expect(left.filter(({ active }) => active > 0).length).toBeGreaterThanOrEqual(8);
    expect(proxy.reports.drains.filter((end) => !['wanted', 'empty'].includes(end))).toEqual([]);
  });

  test('carry on while their pod terminates and serves, and its real servers go when the pod is gone', async () => {
    proxy.report(...shop.slices({ host: web1, ready: false, terminating: true }, web2));
    await proxy.settled();
    expect(await failures(2)).toEqual([]);
    expect(weights(network.node, web1, 'TCP')).toEqual([0]);
    network.cut(web1);
    proxy.report(...shop.slices(web2));
    await expect.poll(() => listed(network.node, web1)).toEqual([]);
    // The drain ends a moment after the kernel has deleted its real server.
    await expect.poll(() => proxy.reports.drains).toContain('podGone');
  });
});

describe('after the pod is back', () => {
  beforeAll(async () => {
    web1.namespace.run('ip', 'link', 'set', 'eth0', 'up');
    for (const line of [
      'route add 169.254.1.1 dev eth0 scope link',
      'route add default via 169.254.1.1 dev eth0',
      '-6 addr replace fd00:10:0:1::1/128 dev eth0 nodad',
      '-6 route replace default via fe80::1 dev eth0',
    ])
      web1.namespace.run('ip', ...line.split(' '));
    for (const line of ['169.254.1.1', 'fe80::1'])
      web1.namespace.run(
        'ip',
        'neigh',
        'replace',
        line,
        'lladdr',
        'ee:ee:ee:ee:ee:ee',
        'dev',
        'eth0',
      );
    proxy.report(...shop.slices(web1, web2));
    await proxy.settled();
  });

  test('UDP: who was asked answers for two more seconds, and then others do', async () => {
    proxy.report(...shop.slices(web1));
    await proxy.settled();
    const asked = ways
      .filter(({ from }) => from !== web1)
      .flatMap((way) => (['IPv4', 'IPv6'] as const).map((family) => ({ way, family })));
    const connections = await Promise.all(
      asked.map(({ way: { from, to }, family }) =>
        connect(from, {
          protocol: 'UDP',
          address: to.addresses[family],
          port: to.port,
        }),
      ),
    );
    for (const connection of connections)
      expect(await connection.ask()).toMatchObject({ server: 'web1' });
    const slow = connections.map((connection) => connection.ask('~800'));
    proxy.report(...shop.slices({ host: web1, ready: false, terminating: true }, web2));
    await proxy.settled();
    expect((await Promise.all(slow)).map((answer) => 'server' in answer && answer.server)).toEqual(
      connections.map(() => 'web1'),
    );
    await expect.poll(() => weights(network.node, web1, 'UDP')).toEqual([]);
    for (const connection of connections)
      expect(await connection.ask()).toMatchObject({ server: 'web2' });
    for (const connection of connections) connection.close();
  });

  test('with session affinity, a client moves on when its server drains, and its connections stay', async () => {
    proxy.report(sticky.service({ affinitySeconds: 600 }), ...sticky.slices(web1));
    await proxy.settled();
    const all = [
      [caller, sticky.vip],
      [client, sticky.nodePort],
      [network.node, sticky.vip],
    ] as const;
    const only = (name: string) => table(() => new Set([name]));
    for (const [who, target] of all) expect(await answering(who, target)).toEqual(only('web1'));
    const streams = await Promise.all(
      all.flatMap(([who, { addresses, port }]) =>
        kinds
          .filter(({ protocol }) => protocol !== 'UDP')
          .map(({ protocol, family }) =>
            Stream.open(who, { protocol, address: addresses[family], port }),
          ),
      ),
    );
    proxy.report(...sticky.slices(web1, web2));
    await proxy.settled();
    for (const [who, target] of all) expect(await answering(who, target)).toEqual(only('web1'));
    proxy.report(...sticky.slices({ host: web1, ready: false }, web2));
    await proxy.settled();
    for (const [who, target] of all) expect(await answering(who, target)).toEqual(only('web2'));
    expect(await Promise.all(streams.map((stream) => stream.next(2)))).toEqual(
      streams.map(() => undefined),
    );
    proxy.report(...sticky.slices(web1, web2));
    await proxy.settled();
    for (const [who, target] of all) expect(await answering(who, target)).toEqual(only('web2'));
    expect(await Promise.all(streams.map((stream) => stream.next(2)))).toEqual(
      streams.map(() => undefined),
    );
    await Promise.all(streams.map((stream) => stream.stop()));
  });
});
