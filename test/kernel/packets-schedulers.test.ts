import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { familyOf } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import { expectGolden } from '../support/golden.ts';
import { type Connection, open, type Request } from '../support/network/client.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { silence } from '../support/patience.ts';
import { TracedTraffic } from '../support/traced-traffic.ts';
import {
  type Kind,
  nameOf,
  printAnswer,
  ShopService,
  serveAll,
  type Table,
  table,
} from '../support/traffic.ts';

// What each scheduler of the kernel does with a Service of three real servers. The proxiers take over from each other, so that every
// virtual server changes its scheduler in place.

const numbers = [11, 12, 13, 14, 15, 16, 17, 18];
const network = new Network();
const traffic = new TracedTraffic(network);
/** A client with eight addresses of each family. */
const client = network.addClient('client', [
  ...numbers.map((number) => ip(`203.0.113.${number}`)),
  ...numbers.map((number) => ip(`2001:db8:203:113::${number}`)),
]);
const webs = [1, 2, 3].map((number) =>
  network.addPod(`web${number}`, [ip(`10.0.1.${number}`), ip(`fd00:10:0:1::${number}`)]),
);
const shop = new ShopService('web', 1);
const everybody = new Set(webs.map(({ name }) => name));
const held: Connection[] = [];
let servers: readonly Server[] = [];
let proxy: NodeProxy;

beforeAll(() => {
  servers = webs.flatMap((host) => serveAll(host));
});

afterEach(() => {
  for (const connection of held.splice(0)) connection.close();
});

afterAll(() => {
  for (const server of servers) server.close();
  network.close();
});

/** A suite in which a proxier uses a scheduler, with `options` as ipvsadm prints those of its virtual servers. */
function withScheduler(scheduler: string, options = '', tests: () => void = () => undefined): void {
  describe(`scheduler ${scheduler}`, () => {
    beforeAll(async () => {
      proxy = new NodeProxy(network.node.namespace, { scheduler });
      proxy.report(shop.service(), ...shop.slices(...webs));
      await proxy.settled();
      traffic.changed();
    });
    afterAll(() => proxy.stop());
    test('the state is the golden one', async () => {
      await expectGolden(
        network.node.namespace,
        'schedulers',
        scheduler === 'lc' ? {} : { ' -s lc\n': ` -s ${scheduler}${options}\n` },
      );
    });
    tests();
  });
}

/** Opens connections by TCP that stay, one after the other. Who answers each. */
async function hold(count: number, over: Partial<Request> = {}): Promise<readonly string[]> {
  const names: string[] = [];
  for (let number = 0; number < count; number++) {
    const { addresses, port } = shop.vip;
    const opened = await open(client, {
      protocol: 'TCP',
      address: addresses.IPv4,
      port,
      ...over,
    });
    if (!('kind' in opened)) held.push(opened);
    names.push(serverOf(printAnswer('kind' in opened ? opened : await opened.ask())));
  }
  return names;
}

function serverOf(answer: string): string {
  return answer.split(' ')[0] ?? '';
}

/** A scheduler does not ask which protocol it is: one of each family is enough. */
const some: readonly Kind[] = [
  { protocol: 'TCP', family: 'IPv4' },
  { protocol: 'UDP', family: 'IPv6' },
];

/** Which servers answered requests of some kinds from the client's eight addresses, in this order. */
async function serversByAddress(): Promise<Table<readonly string[]>> {
  const answers = table((): string[] => [], some);
  for (const kind of some) {
    for (const address of client.addresses.filter((own) => familyOf(own) === kind.family))
      answers[nameOf(kind)]?.push(await askFrom(address, kind));
  }
  return answers;
}

async function askFrom(source: Host['addresses'][number], kind: Kind): Promise<string> {
  return serverOf(await traffic.ask(client, shop.vip, { kind, source }));
}

/** Makes a server drain, which has a connection. */
async function drain(name: string): Promise<void> {
  proxy.report(...shop.slices(...webs.map((host) => ({ host, ready: host.name !== name }))));
  await proxy.settled();
  traffic.changed();
}

withScheduler('lc', '', () => {
  test('gives each server as many connections as the others', async () => {
    const names = await hold(6);
    expect(names.toSorted()).toEqual(['web1', 'web1', 'web2', 'web2', 'web3', 'web3']);
  });

  test('whom it chooses is whom the trace says', async () => {
    await traffic.askAll(client, shop.vip);
  });
});

// To them no packets are sent: to a packet they are as `lc` and `fo`.
for (const scheduler of ['wlc', 'lblc', 'lblcr']) withScheduler(scheduler);

/** Without the fallback flag both hash part of the clients onto the draining server, and refuse them. */
function testDrain(): void {
  test('passes over a server that drains, and refuses nobody', async () => {
    const [draining = ''] = await hold(1);
    await drain(draining);
    const weights = network.node.namespace.run('ipvsadm', '-Sn');
    expect(weights).toMatch(/-a -t 172.30.0.1:80 .* -w 0\n/);
    const names = Object.values(await serversByAddress()).flat();
    expect(new Set(names)).toEqual(new Set([...everybody].filter((name) => name !== draining)));
  });
}

/** `dh` has no such flag: a server of weight 0 must not stay. */
function testRemoval(): void {
  test('loses a server that should drain, and refuses nobody', async () => {
    const [draining = ''] = await hold(1);
    await drain(draining);
    await expect.poll(() => network.node.namespace.run('ipvsadm', '-Sn')).not.toContain('-w 0');
    const names = Object.values(await serversByAddress()).flat();
    expect(names).not.toContain(draining);
    for (const name of names) expect(everybody).toContain(name);
  });
}

withScheduler('sh', ' -b sh-fallback', () => {
  test('keeps a client at one server, and spreads clients', async () => {
    const first = await serversByAddress();
    expect(await serversByAddress()).toEqual(first);
    for (const names of Object.values(first)) expect(new Set(names).size).toBeGreaterThan(1);
  });
  testDrain();
});

withScheduler('mh', ' -b mh-fallback,mh-port', () => {
  test('spreads the connections of one client', async () => {
    expect(new Set(await hold(24))).toEqual(everybody);
    expect(new Set(await hold(24, { protocol: 'UDP' }))).toEqual(everybody);
  });
  testDrain();
});

withScheduler('dh', '', () => {
  testOneServer();
  testRemoval();
});

withScheduler('fo', '', testOneServer);

function testOneServer(): void {
  test('gives all connections of a Service to one server', async () => {
    for (const names of Object.values(await serversByAddress()))
      expect(new Set(names).size).toBe(1);
  });
}

withScheduler('ovf', '', () => {
  test('fills one server after the other with two connections, and refuses any more', async () => {
    const names = await hold(6);
    const [one, , two, , three] = names;
    expect(names).toEqual([one, one, two, two, three, three]);
    expect(new Set(names)).toEqual(everybody);
    for (const name of await hold(2, { patience: silence }))
      expect(name).toMatch(/^(refused|timeout)$/);
  });
});
