import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { IpAddress } from '../../pkg/ip/address.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import { Schedulers } from '../../pkg/ipvs/probe.ts';
import { parseServiceAnnotations } from '../../pkg/kube/annotations.ts';
import type { Service } from '../../pkg/kube/types.ts';
import { rotationOf } from '../../pkg/proxy/plan/rotation.ts';
import { ip } from '../support/addresses.ts';
import { type Connection, open, type Request } from '../support/network/client.ts';
import { Network } from '../support/network/network.ts';
import { type Server, serve } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { PacketExplainer } from '../support/packet-explainer.ts';
import { silence } from '../support/patience.ts';
import { setService, setSlice } from '../support/proxier.ts';
import { addressOf, printAnswer } from '../support/traffic.ts';

// What a Service asks for by annotations, on the real kernel: changes act on virtual and real servers that stand, under connections
// that stay.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const webs = [1, 2, 3].map((number) =>
  network.addPod(`web${number}`, [ip(`10.0.1.${number}`), ip(`fd00:10:0:1::${number}`)]),
);
const endpoints = webs.map((host) => endpoint(addressOf(host, 'IPv4')));
const held: Connection[] = [];
const leave = network.node.namespace.enter();
const ipvs = openIpvs({});
leave();
const explainer = new PacketExplainer(network);
const schedulers = new Schedulers(ipvs, () => performance.now());
let servers: readonly Server[] = [];
let proxy: NodeProxy;

beforeAll(() => {
  servers = webs.map((host) =>
    serve(host, { protocol: 'TCP', port: 8080, address: addressOf(host, 'IPv4') }),
  );
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

type Annotations = Readonly<Record<string, string>>;

/** Starts a proxier on a kernel without virtual servers, with the first Service. */
async function start(nodeName = 'here'): Promise<void> {
  network.node.namespace.run('ipvsadm', '-C');
  proxy = new NodeProxy(network.node.namespace, { serviceOptionsOf, nodeName });
  report(1);
  await proxy.settled();
  explainer.changed();
}

/** The Service with a number, on 172.30.0.<number>:80/TCP, and its slice. */
function report(number: number, annotations: Annotations = {}): void {
  const name = `web-${number}`;
  proxy.report(
    setService(service({ name, clusterIPs: [vip(number)], annotations })),
    setSlice(slice(endpoints, { name, serviceName: name })),
  );
}

async function annotate(number: number, annotations: Annotations): Promise<void> {
  report(number, annotations);
  await proxy.proxier.idle();
  explainer.changed();
}

function vip(number: number): IpAddress {
  return ip(`172.30.0.${number}`);
}

/** Opens a connection by TCP that stays, and compares with what is said of it. Who answers it. */
async function hold(number = 1): Promise<string> {
  const answer = await attempt(number);
  const address = vip(number);
  const target = { addresses: { IPv4: address, IPv6: address }, port: 80 };
  const kind = { family: 'IPv4', protocol: 'TCP' } as const;
  explainer.expectTrue(await explainer.explain(client, { target, kind }), answer);
  return answer.split(' ')[0] ?? '';
}

/** Opens a connection by TCP that stays. What comes of it. */
async function attempt(number: number, over: Partial<Request> = {}): Promise<string> {
  const address = vip(number);
  const opened = await open(client, { protocol: 'TCP', address, port: 80, ...over });
  if ('kind' in opened) return opened.kind;
  held.push(opened);
  return printAnswer(await opened.ask());
}

async function holdMany(count: number, number = 1): Promise<readonly string[]> {
  const names: string[] = [];
  for (let left = count; left > 0; left--) names.push(await hold(number));
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
      await annotate(1, annotations);
      expect(saved()).toBe(`-A -t 172.30.0.1:80 ${options}`);
      expect(await heldServers()).toEqual(names);
    }
  });

  test.each(
    ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq'].map((name, index) => [name, index + 2] as const),
  )('%s gives all real servers the same', async (scheduler, number) => {
    await annotate(number, { scheduler });
    expect(saved(number)).toBe(`-A -t 172.30.0.${number}:80 -s ${scheduler}`);
    const names = await holdMany(6, number);
    expect(names.toSorted()).toEqual(['web1', 'web1', 'web2', 'web2', 'web3', 'web3']);
  });

  test('lblc and lblcr keep to one server until it has two connections and another none', async () => {
    for (const [number, scheduler] of [
      [8, 'lblc'],
      [9, 'lblcr'],
    ] as const) {
      await annotate(number, { scheduler });
      expect(saved(number)).toContain(` -s ${scheduler}`);
      const [first, second, third] = await holdMany(3, number);
      expect(second).toBe(first);
      expect(third).not.toBe(first);
    }
  });

  test('twos draws by lot, where the kernel has it; elsewhere rr stays and its owner gets an event', async () => {
    await annotate(1, { scheduler: 'twos' });
    const isThere = schedulers.has('twos');
    expect(saved()).toBe(`-A -t 172.30.0.1:80 -s ${isThere ? 'twos' : 'rr'}`);
    expect(proxy.reports.annotations.map((text) => text.split(':').pop())).toEqual(
      isThere ? [] : [' it lacks the module ip_vs_twos'],
    );
    const names = new Set(await holdMany(isThere ? 24 : 3));
    expect(names).toEqual(new Set(['web1', 'web2', 'web3']));
  });

  test('a connection limit keeps new clients from full real servers, refuses them where all are full, and cuts nobody', async () => {
    const number = 10;
    await annotate(number, {});
    const first = await holdMany(3, number);
    await annotate(number, { 'connection-limit': '2' });
    const words = ['-Ln', '-t', '172.30.0.10:80', '--thresholds'];
    const listed = network.node.namespace.run('ipvsadm', ...words);
    expect(listed.match(/10\.0\.1\.\d:8080 +2 +1 /g)).toHaveLength(3);
    const names = [...first, ...(await holdMany(3, number))];
    expect(names.toSorted()).toEqual(['web1', 'web1', 'web2', 'web2', 'web3', 'web3']);
    // Whether there is room is not said: that changes with every connection.
    expect(await attempt(number, { patience: silence })).toMatch(/^(refused|timeout)$/);
    expect(await heldServers()).toEqual(names);
    await annotate(number, {});
    expect(names).toContain(await hold(number));
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
