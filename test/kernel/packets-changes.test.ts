import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { families, printHostPort } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import { expectGolden } from '../support/golden.ts';
import { Hammer } from '../support/hammer.ts';
import { type Connection, open } from '../support/network/client.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { silence } from '../support/patience.ts';
import { remove } from '../support/proxier.ts';
import { TracedTraffic } from '../support/traced-traffic.ts';
import {
  addressOf,
  nameOf,
  printAnswer,
  ShopService,
  serveAll,
  type Table,
  type Target,
  table,
  unanswered,
} from '../support/traffic.ts';

// What clients that connect without pause see while a Service and its endpoints come and go: one story, in order.

const network = new Network();
const traffic = new TracedTraffic(network);
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const web1 = network.addPod('web1', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const web2 = network.addPod('web2', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const shop = new ShopService('web', 1);
let servers: readonly Server[] = [];
let proxy: NodeProxy;

beforeAll(async () => {
  servers = [web1, web2].flatMap((host) => serveAll(host));
  // As on most nodes, what is for nobody here leaves by the default route, and conntrack keeps it as a flow of its own.
  for (const line of ['link add lost type dummy', 'link set lost up', 'route add default dev lost'])
    network.node.namespace.run('ip', ...line.split(' '));
  network.node.namespace.run('ip', '-6', 'route', 'add', 'default', 'dev', 'lost');
  proxy = new NodeProxy(network.node.namespace);
  await proxy.settled();
});

afterAll(async () => {
  for (const server of servers) server.close();
  await proxy.stop();
  network.close();
});

function saw(server: Host, who: Host) {
  return table(({ family }) => `${server.name} saw ${addressOf(who, family)}`);
}

describe('a Service that is created while clients call its address', () => {
  test('is silent, then answers for good, masqueraded where it should be', async () => {
    // From one source port each, as patient clients do: what conntrack keeps of the first attempt decides over the later ones.
    const start = (who: Host) => {
      const hammer = new Hammer(who, { ...shop.vip, sourcePort: 5_000, patience: silence });
      onTestFinished(() => hammer.stop());
      return hammer;
    };
    const hammers = [start(client), start(caller)] as const;
    for (const hammer of hammers)
      expect(Object.values(await hammer.next(2)).flat()).not.toContainEqual(/saw/);
    const early = await traffic.askAll(client, shop.vip, { sourcePort: 5_001, patience: silence });
    expect(early).toEqual(table(() => 'timeout'));

    proxy.report(shop.service(), ...shop.slices(web1));
    const [outside, inside] = hammers;
    await expect.poll(() => outside.lastAnswer()).toEqual(saw(web1, network.node));
    await expect.poll(() => inside.lastAnswer()).toEqual(saw(web1, caller));
    await expect.poll(() => flowsFrom(5_001)).toEqual([]);
    traffic.changed();
    const late = await traffic.askAll(client, shop.vip, { sourcePort: 5_001 });
    expect(late).toEqual(saw(web1, network.node));

    for (const hammer of hammers) await hammer.stop();
    for (const { answers } of hammers)
      for (const [kind, some] of Object.entries(answers)) expectFewFailures(some, kind);
  });

  /**
   * Nobody is ever refused, as the address comes last. One connection may be reset: that which is under way when the flow is deleted
   * with which it began.
   */
  function expectFewFailures(answers: readonly string[], kind: string): void {
    const whole = `${kind}: ${answers.join(', ')}`;
    const failures = answers.filter((answer) => !answer.includes(' saw '));
    expect(new Set(failures.filter((failure) => failure !== 'reset')), whole).toEqual(
      new Set(['timeout']),
    );
    expect(failures.filter((failure) => failure === 'reset').length, whole).toBeLessThanOrEqual(1);
  }

  /** What conntrack knows of flows from a source port. */
  function flowsFrom(port: number): readonly string[] {
    const lines = network.node.namespace.run('cat', '/proc/net/nf_conntrack').split('\n');
    return lines.filter((line) => line.includes(` sport=${port} `));
  }
});

describe('endpoints that come and go while clients connect', () => {
  const hammers: Hammer[] = [];
  let connection: Connection;

  beforeAll(async () => {
    hammers.push(...[caller, client].map((who) => new Hammer(who, shop.vip)));
    connection = await connect(caller, shop.vip);
  });

  afterAll(async () => {
    for (const hammer of hammers) await hammer.stop();
    connection.close();
  });

  /** Waits until new connections of each kind are answered by all of these servers and nobody else. */
  async function answeredBy(...hosts: readonly Host[]): Promise<void> {
    const names = new Set(hosts.map(({ name }) => name));
    await expect.poll(nextServers).toEqual(table(() => names));
  }

  async function nextServers(): Promise<Table<Set<string>>> {
    const answers = await Promise.all(hammers.map((hammer) => hammer.next(4)));
    return table((kind) => {
      const all = answers.flatMap((ofHammer) => ofHammer[nameOf(kind)] ?? []);
      return new Set(all.map((answer) => answer.split(' ')[0] ?? ''));
    });
  }

  /** What real servers of web1 there are, as `t 1` for one of TCP with weight 1. */
  function held(host: Host): readonly string[] {
    const lines = network.node.namespace.run('ipvsadm', '-Sn').split('\n');
    const isOf = (line: string) =>
      host.addresses.some((address) => line.includes(`-r ${printHostPort(address, 8080)} `));
    return lines
      .filter((line) => isOf(line) && line.includes(':80 '))
      .map((line) => line.replace(/^-a -+(\w)\S* .* -w /, '$1 '))
      .sort();
  }

  test('a new one takes its share', async () => {
    proxy.report(...shop.slices(web1, web2));
    await answeredBy(web1, web2);
  });

  test('one that vanished gets no new connections; those of TCP that it has carry on', async () => {
    proxy.report(...shop.slices(web2));
    await answeredBy(web2);
    await expect.poll(() => held(web1)).not.toContainEqual(/^u|1$/);
    expect(held(web1)).toContain('t 0');
    expect(printAnswer(await connection.ask())).toBe('web1 saw 10.0.1.11');
  });

  test('one that is back takes its share, and keeps its connections', async () => {
    proxy.report(...shop.slices(web1, web2));
    await answeredBy(web1, web2);
    expect(held(web1)).toEqual(['s 1', 's 1', 't 1', 't 1', 'u 1', 'u 1']);
    expect(printAnswer(await connection.ask())).toBe('web1 saw 10.0.1.11');
  });

  test('nobody noticed anything', async () => {
    for (const hammer of hammers) {
      expect(hammer.failures()).toEqual(table(() => []));
    }
  });

  test('one that is not ready gets no new connections', async () => {
    proxy.report(...shop.slices(web1, { host: web2, ready: false }));
    await answeredBy(web1);
    proxy.report(...shop.slices(web1, web2));
    await answeredBy(web1, web2);
  });
});

describe('a Service that is deleted', () => {
  const gone = new ShopService('gone', 2);

  test('answers nobody new, serves its connections to their end, and leaves nothing', async () => {
    proxy.report(gone.service(), ...gone.slices(web1));
    await proxy.settled();
    const connection = await connect(caller, gone.vip);
    proxy.report(remove('Service', 'gone'));
    for (const family of families)
      proxy.report(remove('EndpointSlice', `gone-${family.toLowerCase()}`));
    await proxy.settled();
    traffic.changed();
    expect(await traffic.askAll(caller, gone.vip, { patience: silence })).toEqual(unanswered);
    expect(printAnswer(await connection.ask())).toBe('web1 saw 10.0.1.11');
    connection.close();
    // What was reset counts as a connection for 10 s, and the last clients are told for another 5.
    await expectGolden(network.node.namespace, 'changes');
  });
});

/** A connection that stays. */
async function connect(
  who: Host,
  { addresses: { IPv4: address }, port }: Target,
): Promise<Connection> {
  const opened = await open(who, { protocol: 'TCP', address, port });
  if ('kind' in opened) throw new Error(`no connection: ${opened.kind}`);
  return opened;
}
