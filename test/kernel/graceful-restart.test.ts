import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { Stream } from '../support/stream.ts';
import { type PodEndpoint, ShopService, serveAll, type Target } from '../support/traffic.ts';
import { listed, weights } from '../support/weights.ts';

// A program that ends in the middle of drains, and one that begins there: drains go on, and nothing stays at weight 0 that is wanted.

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
      Stream.open(who, { protocol: 'TCP', address: addresses[family], port, patience: 20_000 }),
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
    proxy.tell(shop.service(), ...shop.slices(...endpoints));
    await proxy.settled();
  }

  beforeAll(async () => {
    proxy = new NodeProxy(node.namespace);
    proxy.tell(shop.service(), ...shop.slices(web1));
    await proxy.settled();
    open = await streams(caller, shop.vip);
    proxy.tell(...shop.slices(ending, web2));
    await proxy.settled();
  });

  afterAll(async () => {
    await Promise.all(open.map((stream) => stream.stop()));
    await proxy.stop();
  });

  test('goes on with the drains of its predecessor', async () => {
    await restart(ending, web2);
    expect(weights(node, web1, tcp)).toEqual([0]);
    expect(proxy.proxier.graceful.size).toBe(2);
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
    proxy.tell(shop.service(), ...shop.slices(ending, web2));
    await proxy.settled();
    expect(weights(node, web2, tcp)).toEqual([1]);
    expect(weights(node, web1, tcp)).toEqual([0]);
    expect(listed(node, { addresses: [ip('10.0.9.9')] })).toEqual([]);
    expect(await Promise.all(open.map((stream) => stream.next(2)))).toEqual([undefined, undefined]);
    // What it found it knows as its own: a drain ends when its pod is gone.
    network.cut(web1);
    proxy.tell(...shop.slices(web2));
    await expect.poll(() => weights(node, web1), { timeout: 5_000 }).toEqual([]);
    expect(proxy.reports.drains).toContain('podGone');
    expect(await Promise.all(open.map((stream) => stream.end()))).toEqual(['reset', 'reset']);
  });
});

describe('the program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graceful-'));
  const endsShop = new ShopService('ends', 2);
  const vip = `TCP ${endsShop.vip.addresses.IPv4}`;
  let program: ChildProcess | undefined;
  let output = '';

  function endpointJson(host: Host, isEnding: boolean): object {
    return {
      addresses: [host.addresses[0]],
      nodeName: 'here',
      targetRef: { kind: 'Pod', namespace: 'shop', name: host.name, uid: `pod-${host.name}` },
      conditions: { ready: !isEnding, serving: true, terminating: isEnding },
    };
  }

  function write(...endpoints: readonly object[]): void {
    const metadata = { namespace: 'shop', name: 'ends' };
    const labels = { 'kubernetes.io/service-name': 'ends' };
    const items = [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { ...metadata, uid: 'ends' },
        spec: {
          type: 'ClusterIP',
          clusterIP: endsShop.vip.addresses.IPv4,
          clusterIPs: [endsShop.vip.addresses.IPv4],
          ports: [{ name: 'tcp', protocol: 'TCP', port: 80, targetPort: 8080 }],
        },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { ...metadata, labels },
        addressType: 'IPv4',
        ports: [{ name: 'tcp', protocol: 'TCP', port: 8080 }],
        endpoints,
      },
    ];
    const file = join(folder, 'objects.json');
    writeFileSync(`${file}.new`, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    renameSync(`${file}.new`, file);
  }

  function start(): void {
    const main = join(import.meta.dirname, '../../cmd/kube-proxy/main.ts');
    const flags = [
      `--ipvs-manifests=${folder}`,
      '--proxy-mode=ipvs',
      '--hostname-override=here',
      '--cluster-cidr=10.0.0.0/8,fd00:10::/32',
      '--v=4',
    ];
    program = spawn(
      'ip',
      ['netns', 'exec', node.namespace.name, process.execPath, main, ...flags],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    program.stdout?.on('data', (text) => (output += text));
    program.stderr?.on('data', (text) => (output += text));
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const child = program;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  async function until(host: Host, wanted: readonly number[]): Promise<void> {
    const poll = expect.poll(() => `${weights(node, host, vip)}`, {
      timeout: 60_000,
      interval: 200,
    });
    await poll.toBe(`${wanted}`).catch((error: unknown) => {
      throw new Error(`${error}\n${output.slice(-3_000)}`);
    });
  }

  beforeAll(() => {
    web1.namespace.run('ip', 'link', 'set', 'eth0', 'up');
    for (const line of [
      'route add 169.254.1.1 dev eth0 scope link',
      'route add default via 169.254.1.1 dev eth0',
    ])
      web1.namespace.run('ip', ...line.split(' '));
    web1.namespace.run(
      'ip',
      ...'neigh replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0'.split(' '),
    );
  });

  afterEach(async () => {
    await end('SIGKILL');
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'ends by %s while it drains, and goes on where it was',
    async (signal) => {
      write(endpointJson(web1, false));
      start();
      await until(web1, [1]);
      await until(web2, []);
      const stream = await Stream.open(caller, {
        protocol: 'TCP',
        address: endsShop.vip.addresses.IPv4,
        port: 80,
        patience: 20_000,
      });
      write(endpointJson(web1, true), endpointJson(web2, false));
      await until(web2, [1]);
      await until(web1, [0]);
      await end(signal);
      expect(await stream.next(2)).toBeUndefined();
      output = '';
      start();
      await expect
        .poll(() => output, { timeout: 60_000, interval: 100 })
        .toContain('first sync done');
      expect([weights(node, web1, vip), await stream.next(2)]).toEqual([[0], undefined]);
      await end(signal);
      write(endpointJson(web1, false), endpointJson(web2, false));
      start();
      await until(web1, [1]);
      expect(await stream.next(2)).toBeUndefined();
      await stream.stop();
    },
  );
});
