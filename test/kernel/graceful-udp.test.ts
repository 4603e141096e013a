import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Family, families, type IpAddress } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { connect } from '../support/stream.ts';
import { ShopService, serveAll } from '../support/traffic.ts';
import { weights } from '../support/weights.ts';

// UDP has no end of its own: what binds a socket to its server goes when the server does.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const webs = [1, 2].map((number) =>
  network.addPod(`web${number}`, [ip(`10.0.1.${number}`), ip(`fd00:10:0:1::${number}`)]),
);
const shop = new ShopService('dns', 1);
const servers: Server[] = [];
let proxy: NodeProxy;

beforeAll(async () => {
  servers.push(...webs.flatMap((host) => serveAll(host)));
  proxy = new NodeProxy(network.node.namespace);
  proxy.tell(shop.service(), ...shop.slices(...webs));
  await proxy.settled();
});

afterAll(async () => {
  await proxy.stop();
  for (const server of servers) server.close();
  network.close();
});

/** How many flows conntrack knows that a pod answers. */
function flowsOf(pod: Host): number {
  const { namespace } = network.node;
  const flows = ['ipv4', 'ipv6'].map((family) =>
    namespace.run('conntrack', '-L', '-p', 'udp', '-f', family),
  );
  const answered = new Set(pod.addresses.map((address) => `src=${address}`));
  return flows
    .join('\n')
    .split(/\s+/)
    .filter((word) => answered.has(word)).length;
}

test('a server of UDP goes together with its flows, and its clients are answered by another one', async () => {
  const [ending, other] = webs;
  if (ending === undefined || other === undefined) throw new Error('there are two');
  const connections = await Promise.all(
    families.flatMap((family) =>
      [caller, client].flatMap((from) =>
        Array.from({ length: 4 }, () => connect(from, { protocol: 'UDP', ...way(from, family) })),
      ),
    ),
  );
  const whose = async () => {
    const answers = await Promise.all(connections.map((connection) => connection.ask()));
    return answers.map((answer) => (answer.kind === 'answer' ? answer.server : answer.kind));
  };
  expect(new Set(await whose())).toEqual(new Set([ending.name, other.name]));
  expect(flowsOf(ending)).toBeGreaterThan(4);
  proxy.tell(...shop.slices({ host: ending, ready: false, terminating: true }, other));
  await proxy.settled();
  await expect.poll(() => weights(network.node, ending, 'UDP'), { timeout: 10_000 }).toEqual([]);
  expect(flowsOf(ending)).toBe(0);
  expect(new Set(await whose())).toEqual(new Set([other.name]));
  for (const connection of connections) connection.close();
});

/** Where a client asks: pods at the cluster IP, others at the node port. */
function way(from: Host, family: Family): { address: IpAddress; port: number } {
  const { addresses, port } = from === client ? shop.nodePort : shop.vip;
  return { address: addresses[family], port };
}
