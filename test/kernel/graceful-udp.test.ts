import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Family, families, familyOf } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import type { Answer, Connection } from '../support/network/client.ts';
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
const ending = network.addPod('ending', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const other = network.addPod('other', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const shop = new ShopService('dns', 1);
const servers: Server[] = [];
let proxy: NodeProxy;
/** Called when a drain ends. */
let onEnd: NodeProxy['reports']['drainEnded'] = () => undefined;

beforeAll(async () => {
  servers.push(...[ending, other].flatMap((host) => serveAll(host)));
  proxy = new NodeProxy(network.node.namespace);
  proxy.reports.drainEnded = (drain, owner) => onEnd(drain, owner);
  proxy.report(shop.service(), ...shop.slices(ending, other));
  await proxy.settled();
});

afterAll(async () => {
  await proxy.stop();
  for (const server of servers) server.close();
  network.close();
});

function fourSockets(host: Host, family: Family): Promise<readonly Connection[]> {
  const request = { protocol: 'UDP', address: shop.vip.addresses[family], port: 80 } as const;
  return Promise.all(Array.from({ length: 4 }, () => connect(host, request)));
}

/** Asks on every connection, now; on none that is asked already. */
function askAll(connections: readonly Connection[], text?: string): Promise<readonly Answer[]> {
  return Promise.all(connections.map((connection) => connection.ask(text)));
}

function whose(answers: readonly Answer[]): ReadonlySet<string> {
  return new Set(answers.map((answer) => (answer.kind === 'answer' ? answer.server : answer.kind)));
}

/** Endpoints as they are when the pod `ending` has left them in some way. */
const leavings = [
  ['is not ready any more', [{ host: ending, ready: false, serving: false }]],
  [
    'terminates and does not serve',
    [{ host: ending, ready: false, serving: false, terminating: true }],
  ],
  ['terminates', [{ host: ending, ready: false, terminating: true }]],
  ['vanishes', []],
] as const;

test.each(leavings)('an answer in flight comes although its server %s', async (_, left) => {
  proxy.report(...shop.slices(ending, other));
  const both = families.map(() => new Set([ending.name, other.name]));
  await expect.poll(() => weights(network.node, ending, 'UDP')).toEqual([1]);
  const sockets = await Promise.all(families.map((family) => fourSockets(client, family)));
  // What the node masquerades reaches its client by the flow alone.
  const answers = Promise.all(sockets.map((some) => askAll(some, '~100')));
  proxy.report(...shop.slices(...left, other));
  expect((await answers).map(whose)).toEqual(both);
  await expect.poll(() => weights(network.node, ending, 'UDP')).toEqual([]);
  expect((await Promise.all(sockets.map((some) => askAll(some)))).map(whose)).toEqual(
    families.map(() => new Set([other.name])),
  );
  for (const socket of sockets.flat()) socket.close();
});

test('a query that comes when the server of its socket has just gone is answered by another one', async () => {
  proxy.report(...shop.slices(ending, other));
  await expect.poll(() => weights(network.node, ending, 'UDP')).toEqual([1]);
  const connections = {
    IPv4: await fourSockets(caller, 'IPv4'),
    IPv6: await fourSockets(caller, 'IPv6'),
  };
  const all = [...connections.IPv4, ...connections.IPv6];
  expect(whose(await askAll(all))).toEqual(new Set([ending.name, other.name]));
  // The kernel takes some milliseconds to clear its table: these queries are there before.
  const asked: Promise<readonly Answer[]>[] = [];
  onEnd = ({ virtualServer: { protocol, port, address } }) => {
    const sockets = connections[familyOf(address)];
    if (protocol === 'UDP' && port === 80) asked.push(askAll(sockets));
  };
  proxy.report(...shop.slices({ host: ending, ready: false, terminating: true }, other));
  await proxy.settled();
  await expect.poll(() => weights(network.node, ending, 'UDP')).toEqual([]);
  await expect.poll(() => asked.length).toBe(families.length);
  const answers = await Promise.all(asked);
  expect(answers.map(whose)).toEqual(families.map(() => new Set([other.name])));
  for (const connection of all) connection.close();
});
