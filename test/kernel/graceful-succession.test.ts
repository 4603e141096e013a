import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Family } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import type { Connection } from '../support/network/client.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { connect } from '../support/stream.ts';
import { askAll, ShopService, serveAll, type Target } from '../support/traffic.ts';
import { listed, weights } from '../support/weights.ts';

// A pod's address that another pod gets, when the old one is gone: no packet of an old connection reaches the new pod.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const other = network.addPod('other', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const addresses = [ip('10.0.1.1'), ip('fd00:10:0:1::1')];
const shop = new ShopService('web', 1);
const { node } = network;
const otherServers: Server[] = [];
let proxy: NodeProxy;
let pods = 0;

beforeAll(async () => {
  otherServers.push(...serveAll(other));
  proxy = new NodeProxy(node.namespace);
  proxy.report(shop.service(), ...shop.slices(other));
  await proxy.settled();
});

afterAll(async () => {
  for (const server of otherServers) server.close();
  await proxy.stop();
  network.close();
});

/** A pod with servers on the address that each of them gets in turn. */
interface Pod {
  readonly host: Host;
  readonly servers: readonly Server[];
}

function newPod(): Pod {
  pods++;
  const host = network.addPod(`pod${pods}`, addresses);
  return { host, servers: serveAll(host) };
}

/** The sandbox of a pod is taken away, and nothing says a word. */
function takeAway({ host, servers }: Pod): void {
  network.remove(host);
  for (const server of servers) server.close();
}

/** Segments and chunks that came to a pod and belonged to no connection of its own. */
function strays({ host }: Pod): { readonly resets: number; readonly outOfTheBlue: number } {
  const lines = host.namespace
    .run('cat', '/proc/net/snmp')
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'));
  const [names = [], values = []] = lines.map((line) => line.split(' '));
  const sctp = /SctpOutOfBlues\s+(\d+)/.exec(host.namespace.run('cat', '/proc/net/sctp/snmp'));
  return { resets: Number(values[names.indexOf('OutRsts')]), outOfTheBlue: Number(sctp?.[1]) };
}

async function connections(): Promise<readonly Connection[]> {
  const ways: readonly (readonly [Host, Target])[] = [
    [caller, shop.vip],
    [node, shop.vip],
    [client, shop.nodePort],
  ];
  const opened: Connection[] = [];
  for (const [from, to] of ways)
    for (const protocol of ['TCP', 'SCTP'] as const)
      for (const family of ['IPv4', 'IPv6'] as const satisfies readonly Family[])
        opened.push(
          await connect(from, {
            protocol,
            address: to.addresses[family],
            port: to.port,
          }),
        );
  return opened;
}

/** Talks on each connection without pause until its first failure. */
function talkOn(all: readonly Connection[]): Promise<readonly string[]> {
  return Promise.all(
    all.map(async (connection) => {
      for (;;) {
        const answer = await connection.ask();
        if (answer.kind !== 'answer') return answer.kind;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }),
  );
}

test('an address that another pod gets in one step', async () => {
  const old = newPod();
  proxy.report(...shop.slices(old.host));
  await proxy.settled();
  expect(weights(node, other)).not.toContain(1);
  const all = await connections();
  for (const connection of all)
    expect(await connection.ask()).toMatchObject({ server: old.host.name });
  takeAway(old);
  const fresh = newPod();
  proxy.report(...shop.slices(other, fresh.host));
  await proxy.settled();
  // Until the old one is deleted its connections lead to the new pod, which resets them itself.
  await expect
    .poll(() => listed(node, fresh.host).some(({ active, inactive }) => active + inactive > 0), {
      interval: 5,
    })
    .toBe(false);
  // From now on all that is known of the old connections is wrong.
  const talks = talkOn(all);
  const isThere = () => weights(node, fresh.host, `TCP ${shop.vip.addresses.IPv4}`);
  await expect.poll(isThere, { interval: 20 }).toEqual([1]);
  expect(listed(node, fresh.host).filter(({ active, inactive }) => active + inactive > 0)).toEqual(
    [],
  );
  expect(await talks).toEqual(all.map(() => 'reset'));
  // A kernel without time for its own work may still have old connections after the pause; then the program says so, and repeats it.
  if (!proxy.log.lines().some((line) => line.includes('came back with old connections')))
    expect(strays(fresh)).toEqual({ resets: 0, outOfTheBlue: 0 });
  expect(fresh.servers.flatMap(({ seen }) => seen)).toEqual([]);
  // It is a server as any other, and nothing ends it.
  const answers = await askAll(caller, shop.vip);
  const again = await askAll(caller, shop.vip);
  expect(JSON.stringify([answers, again])).toContain(fresh.host.name);
  expect(
    proxy.proxier.graceful.inTerminationList({
      virtualServer: { address: shop.vip.addresses.IPv4, protocol: 'TCP', port: 80 },
      realServer: { address: ip('10.0.1.1'), port: 8080 },
    }),
  ).toBe(false);
  for (const connection of all) connection.close();
  proxy.report(...shop.slices(other));
  await proxy.settled();
  takeAway(fresh);
});
