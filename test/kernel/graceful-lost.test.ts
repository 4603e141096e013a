import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { families } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import type { Answer, Connection } from '../support/network/client.ts';
import { Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { connect } from '../support/stream.ts';
import { ShopService, serveAll, type Target } from '../support/traffic.ts';
import { weights } from '../support/weights.ts';

// Pods that are cut off in silence. The node knows no way to them any more and says so to their clients with ICMP, which IPVS
// counts as answers of the pods: they count as dead all the same, and their clients are told.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const routed = network.addPod('routed', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
network.addBridge('cni0', [
  { address: ip('10.0.3.254'), length: 24 },
  { address: ip('fd00:10:0:3::fe'), length: 64 },
]);
const bridged = network.addBridgedPod('bridged', [ip('10.0.3.1'), ip('fd00:10:0:3::1')], 'cni0');
const other = network.addBridgedPod('other', [ip('10.0.3.2'), ip('fd00:10:0:3::2')], 'cni0');
const unplugged = network.addPod('unplugged', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const lost = [
  { pod: routed, shop: new ShopService('routed', 1), side: 'host' },
  { pod: bridged, shop: new ShopService('bridged', 2), side: 'host' },
  // The kernel forgets the masqueraded flows of its device: IPVS's own table tells who must be told.
  { pod: unplugged, shop: new ShopService('unplugged', 3), side: 'node' },
] as const;
const servers: Server[] = [];
let proxy: NodeProxy;

beforeAll(async () => {
  servers.push(...[routed, bridged, unplugged, other].flatMap((host) => serveAll(host)));
  proxy = new NodeProxy(network.node.namespace, {
    drains: { mode: 'pod', timeout: 900_000, unansweredAfter: 5_000 },
  });
  for (const { pod, shop } of lost) proxy.report(shop.service(), ...shop.slices(pod));
  await proxy.settled();
});

afterAll(async () => {
  await proxy.stop();
  for (const server of servers) server.close();
  network.close();
});

/** A connection in each family from a pod and from outside. */
function connections({ vip, nodePort }: { vip: Target; nodePort: Target }): Promise<Connection[]> {
  const ways = [
    [caller, vip],
    [client, nodePort],
  ] as const;
  return Promise.all(
    ways.flatMap(([from, { addresses, port }]) =>
      families.map((family) =>
        connect(from, { protocol: 'TCP', address: addresses[family], port }),
      ),
    ),
  );
}

describe.each(lost)('a pod that is lost: $pod.name', ({ pod, shop, side }) => {
  test('counts as dead when its packets went unanswered, and its clients are reset', async () => {
    const talking = await connections(shop);
    const waiting = await connections(shop);
    for (const connection of [...talking, ...waiting])
      expect(await connection.ask()).toMatchObject({ kind: 'answer', server: pod.name });
    network.cut(pod, { side });
    const answers: Promise<Answer>[] = talking.map((connection) => connection.ask());
    const endings = waiting.map((connection) => connection.ended());
    const before = proxy.reports.drains.length;
    proxy.report(...shop.slices({ host: pod, ready: false, serving: false }));
    await proxy.settled();
    expect(weights(network.node, pod, 'TCP')).toEqual([0]);
    await expect.poll(() => weights(network.node, pod, 'TCP')).toEqual([]);
    // The drain ends a moment after the kernel has deleted its real server.
    const ends = () => proxy.reports.drains.slice(before);
    await expect.poll(() => ends().filter((end) => end === 'unanswered')).toHaveLength(4);
    expect(await Promise.all(answers)).toEqual(talking.map(() => ({ kind: 'reset' })));
    expect(await Promise.all(endings)).toEqual(waiting.map(() => 'reset'));
    for (const connection of [...talking, ...waiting]) connection.close();
  });
});
