import { afterAll, beforeAll, expect, test } from 'vitest';
import { virtualServerKey } from '../../pkg/ipvs/ipvs.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import { ServiceTraffic } from '../../pkg/traffic/traffic.ts';
import { ip } from '../support/addresses.ts';
import { ask, type Connection } from '../support/network/client.ts';
import { Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { connect } from '../support/stream.ts';
import { ShopService, serveAll } from '../support/traffic.ts';

// What --ipvs-service-metrics tells of a Service, beside what its clients did and what ipvsadm counts.

const network = new Network();
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const web = network.addPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const shop = new ShopService('web', 1);
const target = { address: shop.vip.addresses.IPv4, port: 80 };
const leave = network.node.namespace.enter();
const ipvs = openIpvs({});
leave();
const held: Connection[] = [];
let servers: readonly Server[] = [];
let proxy: NodeProxy;
let traffic: ServiceTraffic;

beforeAll(async () => {
  servers = serveAll(web);
  proxy = new NodeProxy(network.node.namespace);
  proxy.report(shop.service(), ...shop.slices(web));
  await proxy.settled();
  traffic = new ServiceTraffic({
    ipvs,
    isEstimating: () => true,
    ownerOf: (virtualServer) =>
      proxy.proxier.view.ledger.lastOwner(virtualServerKey(virtualServer)),
    now: () => performance.now(),
  });
});

afterAll(async () => {
  for (const connection of held) connection.abandon();
  await proxy.stop();
  ipvs.close();
  for (const server of servers) server.close();
  network.close();
});

/** What is told of a protocol on port 80: connections, packets of clients and to them, and connections that are established. */
async function reported(protocol: 'TCP' | 'UDP'): Promise<readonly unknown[]> {
  const sample = (await traffic.read()).find(
    ({ labels }) => labels.port === '80' && labels.protocol === protocol,
  );
  if (sample === undefined) return [];
  const { totals, activeConnections } = sample;
  const { connections, incomingPackets, outgoingPackets } = totals;
  return [connections, incomingPackets, outgoingPackets, activeConnections];
}

/** Connections and packets in both directions as `ipvsadm` counts them. */
function counted(option: '-t' | '-u'): readonly number[] {
  const server = `${target.address}:80`;
  const command = `ipvsadm -Ln --stats --exact ${option} ${server}`;
  const printed = network.node.namespace.run('sh', '-c', command);
  const line = printed.split('\n').find((some) => some.includes(server)) ?? '';
  return line.trim().split(/\s+/).slice(2, 5).map(Number);
}

test('datagrams are connections of one packet each way, as many as there were sockets', async () => {
  for (let left = 7; left > 0; left--)
    await ask(caller, { ...target, protocol: 'UDP', sourcePort: 5_000 + left });
  // The kernel adds its counters up every 2 s.
  await expect.poll(() => reported('UDP')).toEqual([7, 7, 7, 0]);
  expect(counted('-u')).toEqual([7, 7, 7]);
});

test('connections that are established are counted as such, and what went through them as ipvsadm does', async () => {
  for (let left = 2; left > 0; left--)
    held.push(await connect(caller, { ...target, protocol: 'TCP' }));
  for (const connection of held) await connection.ask();
  await expect.poll(async () => (await reported('TCP'))[3]).toBe(2);
  await expect.poll(async () => (await reported('TCP'))[0]).toBe(2);
  await expect.poll(async () => (await reported('TCP')).slice(0, 3)).toEqual(counted('-t'));
});
