import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseServiceAnnotations } from '../../pkg/config/service-annotations.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import { Schedulers } from '../../pkg/ipvs/probe.ts';
import type { Service } from '../../pkg/kube/types.ts';
import { rotationOf } from '../../pkg/proxy/plan/rotation.ts';
import { ip } from '../support/addresses.ts';
import { type Connection, open } from '../support/network/client.ts';
import { Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { silence } from '../support/patience.ts';
import { printAnswer, ShopService, serveAll } from '../support/traffic.ts';

// What a Service asks for by annotations, on the real kernel: changes act on virtual and real servers that stand, under connections
// that stay.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const webs = [1, 2, 3].map((number) =>
  network.addPod(`web${number}`, [ip(`10.0.1.${number}`), ip(`fd00:10:0:1::${number}`)]),
);
const shop = new ShopService('web', 1);
const held: Connection[] = [];
const leave = network.node.namespace.enter();
const ipvs = openIpvs({});
leave();
const schedulers = new Schedulers(ipvs, () => performance.now());
let servers: readonly Server[] = [];
let proxy: NodeProxy;

beforeAll(() => {
  servers = webs.flatMap((host) => serveAll(host));
});

afterEach(() => {
  for (const connection of held.splice(0)) connection.abandon();
});

afterAll(() => {
  for (const server of servers) server.close();
  ipvs.close();
  network.close();
});

const judgedBy = {
  scheduler: 'rr',
  hasScheduler: (scheduler: string) => schedulers.has(scheduler),
};
const serviceOptionsOf = ({ annotations }: Service) =>
  parseServiceAnnotations(annotations, judgedBy);

/** Starts a proxier on a kernel without virtual servers. */
async function start(nodeName = 'here'): Promise<void> {
  network.node.namespace.run('ipvsadm', '-C');
  proxy = new NodeProxy(network.node.namespace, { serviceOptionsOf, nodeName });
  proxy.tell(shop.service(), ...shop.slices(...webs));
  await proxy.settled();
}

async function annotate(annotations: Readonly<Record<string, string>>): Promise<void> {
  proxy.tell(shop.service({ annotations }));
  await proxy.proxier.idle();
}

/** Opens a connection by TCP that stays. Who answers it, or why nobody does. */
async function hold({ vip } = shop): Promise<string> {
  const [address, port] = [vip.addresses.IPv4, vip.port];
  const opened = await open(client, { protocol: 'TCP', address, port, patience: silence });
  if ('kind' in opened) return opened.kind;
  held.push(opened);
  return serverOf(await opened.ask());
}

async function holdMany(count: number, service = shop): Promise<readonly string[]> {
  const names: string[] = [];
  for (let left = count; left > 0; left--) names.push(await hold(service));
  return names;
}

function serverOf(answer: Parameters<typeof printAnswer>[0]): string {
  return printAnswer(answer).split(' ')[0] ?? '';
}

/** Who answers on the connections that are held. */
async function heldServers(): Promise<readonly string[]> {
  return (await Promise.all(held.map((connection) => connection.ask()))).map(serverOf);
}

/** The line of ipvsadm for the virtual server of the Service with that number, on port 80/TCP. */
function saved(number = 1): string | undefined {
  const lines = network.node.namespace.run('ipvsadm', '-Sn').split('\n');
  return lines.find((line) => line.startsWith(`-A -t 172.30.0.${number}:80 `));
}

describe('annotations of a Service that stands', () => {
  beforeAll(() => start());
  afterAll(() => proxy.stop());

  test('a scheduler that changes leaves connections where they are', async () => {
    const names = await holdMany(3);
    for (const [annotations, options] of [
      [{ scheduler: 'lc' }, '-s lc'],
      [{ scheduler: 'sh', 'scheduler-flags': 'sh-port' }, '-s sh -b sh-fallback,sh-port'],
      [{ scheduler: 'mh', 'scheduler-flags': 'mh-fallback' }, '-s mh -b mh-fallback'],
      [{}, '-s rr'],
    ] as const) {
      await annotate(annotations);
      expect(saved()).toBe(`-A -t 172.30.0.1:80 ${options}`);
      expect(await heldServers()).toEqual(names);
    }
  });

  test.each(
    ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq'].map((name, index) => [name, index + 2] as const),
  )('%s gives all servers the same', async (scheduler, number) => {
    const other = new ShopService(scheduler, number);
    const annotations = { scheduler };
    proxy.tell(other.service({ annotations }), ...other.slices(...webs));
    await proxy.proxier.idle();
    expect(saved(number)).toBe(`-A -t 172.30.0.${number}:80 -s ${scheduler}`);
    const names = await holdMany(6, other);
    expect(names.toSorted()).toEqual(['web1', 'web1', 'web2', 'web2', 'web3', 'web3']);
  });

  test('lblc and lblcr keep to one server until it has two connections and another none', async () => {
    for (const [number, scheduler] of [
      [8, 'lblc'],
      [9, 'lblcr'],
    ] as const) {
      const other = new ShopService(scheduler, number);
      proxy.tell(other.service({ annotations: { scheduler } }), ...other.slices(...webs));
      await proxy.proxier.idle();
      expect(saved(number)).toContain(` -s ${scheduler}`);
      const [first, second, third] = await holdMany(3, other);
      expect(second).toBe(first);
      expect(third).not.toBe(first);
    }
  });

  test('twos draws by lot, where the kernel has it; elsewhere rr stays and its owner is told', async () => {
    await annotate({ scheduler: 'twos' });
    const isThere = schedulers.has('twos');
    expect(saved()).toBe(`-A -t 172.30.0.1:80 -s ${isThere ? 'twos' : 'rr'}`);
    expect(proxy.reports.annotations.map((text) => text.split(':').pop())).toEqual(
      isThere ? [] : [' it lacks the module ip_vs_twos'],
    );
    const names = new Set(await holdMany(isThere ? 24 : 3));
    expect(names).toEqual(new Set(['web1', 'web2', 'web3']));
  });

  test('a connection limit keeps new clients from full servers, refuses them where all are full, and cuts nobody', async () => {
    const other = new ShopService('limited', 10);
    const limit = async (annotations: Readonly<Record<string, string>>) => {
      proxy.tell(other.service({ annotations }), ...other.slices(...webs));
      await proxy.proxier.idle();
    };
    await limit({});
    const first = await holdMany(3, other);
    await limit({ 'connection-limit': '2' });
    const words = ['-Ln', '-t', '172.30.0.10:80', '--thresholds'];
    const listed = network.node.namespace.run('ipvsadm', ...words);
    expect(listed.match(/10\.0\.1\.\d:8080 +2 +1 /g)).toHaveLength(3);
    const names = [...first, ...(await holdMany(3, other))];
    expect(names.toSorted()).toEqual(['web1', 'web1', 'web2', 'web2', 'web3', 'web3']);
    expect(await hold(other)).toMatch(/^(refused|timeout)$/);
    expect(await heldServers()).toEqual(names);
    await limit({});
    expect(names).toContain(await hold(other));
  });
});

test('the first client of rr meets another server on another node', async () => {
  const names: string[] = [];
  for (const first of [0, 1, 2]) {
    await start(nodeWithRotation(first));
    names.push(await hold());
    await proxy.stop();
  }
  expect(names.toSorted()).toEqual(['web1', 'web2', 'web3']);
});

/** The name of a node whose order of three real servers begins there. */
function nodeWithRotation(first: number): string {
  for (let number = 0; ; number++)
    if (rotationOf(`node-${number}`) % 3 === first) return `node-${number}`;
}
