import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { Stream } from '../support/stream.ts';
import { type PodEndpoint, ShopService, serveAll, type Target } from '../support/traffic.ts';
import { listed, weights } from '../support/weights.ts';

// A proxier that ends in the middle of drains, and one that begins there: drains go on, and nothing stays at weight 0 that is wanted.

const network = new Network();
network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const web1 = network.addPod('web1', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const web2 = network.addPod('web2', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const shop = new ShopService('web', 1);
const { node } = network;
const servers: Server[] = [];
const tcp = `TCP ${shop.vip.addresses.IPv4}`;

beforeAll(() => {
  servers.push(...[web1, web2].flatMap((host) => serveAll(host)));
});

afterAll(() => {
  for (const server of servers) server.close();
  network.close();
});

function streams(who: Host, { addresses, port }: Target): Promise<readonly Stream[]> {
  return Promise.all(
    (['IPv4', 'IPv6'] as const).map((family) =>
      Stream.open(who, { protocol: 'TCP', address: addresses[family], port }),
    ),
  );
}

describe('the proxier', () => {
  const ending = { host: web1, ready: false, terminating: true };
  let proxy: NodeProxy;
  let open: readonly Stream[] = [];

  /** Another one takes over, and is told so much of the slices. */
  async function restart(...endpoints: readonly PodEndpoint[]): Promise<void> {
    await proxy.stop();
    expect(await Promise.all(open.map((stream) => stream.next(2)))).toEqual(
      open.map(() => undefined),
    );
    proxy = new NodeProxy(node.namespace);
    proxy.report(shop.service(), ...shop.slices(...endpoints));
    await proxy.settled();
  }

  beforeAll(async () => {
    proxy = new NodeProxy(node.namespace);
    proxy.report(shop.service(), ...shop.slices(web1));
    await proxy.settled();
    open = await streams(caller, shop.vip);
    proxy.report(...shop.slices(ending, web2));
    await proxy.settled();
  });

  afterAll(async () => {
    await Promise.all(open.map((stream) => stream.stop()));
    await proxy.stop();
  });

  test('goes on with the drains of its predecessor', async () => {
    await restart(ending, web2);
    expect(weights(node, web1, tcp)).toEqual([0]);
    expect(await Promise.all(open.map((stream) => stream.next(2)))).toEqual([undefined, undefined]);
  });

  test('gives a real server its weight back that is wanted again meanwhile, and its connections carry on', async () => {
    await restart(web1, web2);
    expect([...weights(node, web1), ...weights(node, web2)]).toEqual([1, 1]);
    expect(await Promise.all(open.map((stream) => stream.next(2)))).toEqual([undefined, undefined]);
  });

  test("adopts what upstream's leaves at weight 0: wanted, unwanted, and of nobody at all", async () => {
    await proxy.stop();
    const vip = `${shop.vip.addresses.IPv4}:80`;
    for (const line of [
      // A wanted one that was left over, one that nobody knows, and one with connections whose pod ends.
      `-e -t ${vip} -r 10.0.1.2:8080 -m -w 0`,
      `-a -t ${vip} -r 10.0.9.9:8080 -m -w 0`,
      `-e -t ${vip} -r 10.0.1.1:8080 -m -w 0`,
    ])
      node.namespace.run('ipvsadm', ...line.split(' '));
    proxy = new NodeProxy(node.namespace);
    proxy.report(shop.service(), ...shop.slices(ending, web2));
    await proxy.settled();
    expect(weights(node, web2, tcp)).toEqual([1]);
    expect(weights(node, web1, tcp)).toEqual([0]);
    expect(listed(node, { addresses: [ip('10.0.9.9')] })).toEqual([]);
    expect(await Promise.all(open.map((stream) => stream.next(2)))).toEqual([undefined, undefined]);
    // What it found it knows as its own: a drain ends when its pod is gone.
    network.cut(web1);
    proxy.report(...shop.slices(web2));
    await expect.poll(() => weights(node, web1)).toEqual([]);
    // The drain ends a moment after the kernel has deleted its real server.
    await expect.poll(() => proxy.reports.drains).toContain('podGone');
  });
});
