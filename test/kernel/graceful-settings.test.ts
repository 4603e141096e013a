import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Family, families } from '../../pkg/ip/address.ts';
import { silentLogger } from '../../pkg/log/memory.ts';
import { ip } from '../support/addresses.ts';
import { ask, type Connection, open, type Request } from '../support/network/client.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { printAnswer, ShopService, serveAll, type Target } from '../support/traffic.ts';
import { type ListedRealServer, listed, weights } from '../support/weights.ts';

// What the kernel's settings are for: with each of them, and with what older kernels have in its place.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const web1 = network.addPod('web1', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const web2 = network.addPod('web2', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const shop = new ShopService('web', 1);
const sticky = new ShopService('sticky', 2);
const { namespace } = network.node;

/** Where a connection goes. */
type Standing = Pick<Request, 'address' | 'port' | 'sourcePort' | 'patience'> & {
  readonly family: Family;
};

const servers: Server[] = [];
let proxy: NodeProxy;

beforeAll(async () => {
  servers.push(...[web1, web2].flatMap((host) => serveAll(host)));
  namespace.run(
    'sysctl',
    '-qw',
    'net.ipv4.vs.expire_nodest_conn=0',
    'net.ipv4.vs.expire_quiescent_template=0',
    'net.ipv4.vs.conntrack=0',
  );
  // What each setting does is only seen while nobody sets it again.
  proxy = new NodeProxy(namespace, {}, { isRestoring: false, log: silentLogger });
  proxy.report(shop.service(), sticky.service({ affinitySeconds: 600 }));
  await proxy.settled();
});

afterAll(async () => {
  for (const server of servers) server.close();
  await proxy.stop();
  network.close();
});

function set(...settings: readonly string[]): void {
  namespace.run('sysctl', '-qw', ...settings.map((setting) => `net.ipv4.vs.${setting}`));
}

async function asked({ addresses, port }: Target, sourcePort?: number): Promise<string> {
  const source = sourcePort === undefined ? {} : { sourcePort };
  const request = { protocol: 'TCP', address: addresses.IPv4, port, ...source } as const;
  return printAnswer(await ask(caller, request));
}

/** One of two real servers, the only one at first, begins to drain. */
async function drain(service: ShopService): Promise<void> {
  proxy.report(...service.slices({ host: web1, ready: false }, web2));
  await proxy.settled();
  expect(weights(network.node, web1, `TCP ${service.vip.addresses.IPv4}`)).toEqual([0]);
}

/** New connections go to the first server only; the other one is there, and takes none. */
async function serveAlone(): Promise<void> {
  proxy.report(...shop.slices(web1, { host: web2, ready: false }));
  await proxy.settled();
}

test('they are set as the program starts', () => {
  const names = ['conntrack', 'conn_reuse_mode', 'expire_nodest_conn', 'expire_quiescent_template'];
  const values = namespace.run('sysctl', '-n', ...names.map((name) => `net.ipv4.vs.${name}`));
  expect(values.split('\n').filter((line) => line !== '')).toEqual(names.map(() => '1'));
});

test.each([
  { reuse: 1, nodest: 1, server: 'web2' },
  { reuse: 0, nodest: 1, server: 'web2' },
  { reuse: 0, nodest: 0, server: 'web1' },
])(
  'a port that is used again while its old server drains: with conn_reuse_mode=$reuse and expire_nodest_conn=$nodest it is $server that answers',
  async ({ reuse, nodest, server }) => {
    set(`conn_reuse_mode=${reuse}`, `expire_nodest_conn=${nodest}`);
    await serveAlone();
    const port = 6_000 + reuse * 2 + nodest;
    expect(await asked(shop.vip, port)).toBe('web1 saw 10.0.1.11');
    await drain(shop);
    expect(await asked(shop.vip, port)).toBe(`${server} saw 10.0.1.11`);
    // Whoever comes by another port has always gone elsewhere.
    expect(await asked(shop.vip)).toBe('web2 saw 10.0.1.11');
    set('conn_reuse_mode=1', 'expire_nodest_conn=1');
  },
);

test.each([
  { quiescent: 0, server: 'web1' },
  { quiescent: 1, server: 'web2' },
])(
  'affinity to a server that drains: with expire_quiescent_template=$quiescent it is $server that answers',
  async ({ quiescent, server }) => {
    set(`expire_quiescent_template=${quiescent}`);
    proxy.report(...sticky.slices(web1));
    await proxy.settled();
    expect(await asked(sticky.vip)).toBe('web1 saw 10.0.1.11');
    await drain(sticky);
    expect(await asked(sticky.vip)).toBe(`${server} saw 10.0.1.11`);
  },
);

describe('what another program changes is set again', () => {
  const restored: string[] = [];
  const isRestored = () => restored.includes('expire_nodest_conn');

  async function restart(syncPeriod: number): Promise<void> {
    await proxy.stop();
    const onRestored = ({ path }: { path: string }) => restored.push(path.replace(/.*\//, ''));
    proxy = new NodeProxy(namespace, { syncPeriod }, { onRestored });
    proxy.report(shop.service());
    await serveAlone();
  }

  test('by the next audit, after which a port that is used again finds a server', async () => {
    await restart(1_000);
    expect(await asked(shop.vip, 7_000)).toBe('web1 saw 10.0.1.11');
    set('conn_reuse_mode=0', 'expire_nodest_conn=0');
    await expect
      .poll(() => [...restored].sort())
      .toEqual(['conn_reuse_mode', 'expire_nodest_conn']);
    await drain(shop);
    expect(await asked(shop.vip, 7_000)).toBe('web2 saw 10.0.1.11');
  });

  test('before a real server is deleted whose clients must hear of it', async () => {
    await restart(3_600_000);
    const { addresses, port } = shop.vip;
    const made = await open(caller, { protocol: 'TCP', address: addresses.IPv4, port });
    if ('kind' in made) throw new Error(made.kind);
    expect(await made.ask()).toMatchObject({ kind: 'answer', server: 'web1' });
    restored.length = 0;
    set('expire_nodest_conn=0');
    const ended = made.ended();
    proxy.report(...shop.slices({ host: web1, ready: false, serving: false }, web2));
    await proxy.settled();
    proxy.report(...shop.slices(web2));
    expect(await ended).toBe('reset');
    expect(isRestored()).toBe(true);
    made.close();
  });
});

/** As in a container whose /proc/sys is read-only: somebody changes a setting, and it stays so. */
describe.each([1, 0])('what cannot be set again, with conn_reuse_mode=%i', (reuse) => {
  const dead = 8_000 + reuse;
  let waiting: Connection[] = [];

  beforeAll(async () => {
    await proxy.stop();
    proxy = new NodeProxy(namespace, {}, { isRestoring: false, log: silentLogger });
    proxy.report(shop.service());
    await serveAlone();
    set(`conn_reuse_mode=${reuse}`, 'expire_nodest_conn=0');
  });

  afterAll(() => {
    for (const connection of waiting) connection.close();
    set('conn_reuse_mode=1', 'expire_nodest_conn=1');
  });

  const isShop = ({ virtualServer }: ListedRealServer) =>
    virtualServer.startsWith('TCP') &&
    [...Object.values(shop.vip.addresses), `:${shop.nodePort.port}`].some((part) =>
      virtualServer.includes(part),
    );

  async function connect(from: Host, { family, ...to }: Standing): Promise<Connection> {
    const made = await open(from, { protocol: 'TCP', ...to });
    if ('kind' in made) throw new Error(`${from.name}, ${family}: ${made.kind}`);
    expect(await made.ask()).toMatchObject({ kind: 'answer' });
    return made;
  }

  test('a deleted server holds clients and their ports for 10 s, not for 15 minutes', async () => {
    const ways = families.flatMap((family) => [
      { from: caller, family, address: shop.vip.addresses[family], port: shop.vip.port },
      { from: client, family, address: shop.nodePort.addresses[family], port: shop.nodePort.port },
    ]);
    waiting = [];
    for (const { from, ...to } of ways) {
      waiting.push(await connect(from, to));
      // Its client is gone without a word, and another one will have its port.
      (await connect(from, { ...to, sourcePort: dead })).abandon();
    }
    proxy.report(...shop.slices({ host: web1, ready: false, serving: false }, web2));
    await proxy.settled();
    const ends = Promise.all(waiting.map((connection) => connection.ended()));
    proxy.report(...shop.slices(web2));
    await expect.poll(() => listed(network.node, web1).filter(isShop)).toEqual([]);
    const again = ways.map(async ({ from, ...to }) => {
      const there = { ...to, sourcePort: dead };
      // One that is about to connect when the old client is told is reset: when its connection is closed, and when its clients are reset.
      const attempt = () => connect(from, there);
      const made = await attempt().catch(attempt).catch(attempt);
      made.close();
    });
    // Neither is waited for as long as that.
    await Promise.all(again);
    expect(await ends).toEqual(waiting.map(() => 'reset'));
  });
});
