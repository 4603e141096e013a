import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Family } from '../../pkg/ip/address.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { ip } from '../support/addresses.ts';
import type { Connection } from '../support/network/client.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { connect } from '../support/stream.ts';
import {
  askAll,
  type PodEndpoint,
  ShopService,
  serveAll,
  type Target,
} from '../support/traffic.ts';
import { listed, weights } from '../support/weights.ts';

// A pod's address that another pod gets, at every moment of the old one's end: no packet of an old connection reaches the new pod.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const other = network.addPod('other', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const addresses = [ip('10.0.1.1'), ip('fd00:10:0:1::1')];
const shop = new ShopService('web', 1);
const successorShop = new ShopService('db', 2);
const { node } = network;
const otherServers: Server[] = [];
let proxy: NodeProxy;
let pods = 0;

beforeAll(async () => {
  otherServers.push(...serveAll(other));
  proxy = new NodeProxy(node.namespace);
  proxy.tell(shop.service(), successorShop.service(), ...shop.slices(other));
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
            patience: 3_000,
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

interface Course {
  readonly name: string;
  /** What the slices say while the old pod ends, before the new one has its address. */
  readonly before?: (old: Host) => readonly Change[];
  /** What they say when the new one has it, one after the other. */
  readonly after: (old: Host, fresh: Host) => readonly (readonly Change[])[];
  /** Whether the new pod serves the same Service. */
  readonly isSame: boolean;
}

function ending(host: Host): PodEndpoint {
  return { host, ready: false, terminating: true };
}

const courses: readonly Course[] = [
  {
    name: 'in one step',
    after: (_, fresh) => [shop.slices(other, fresh)],
    isSame: true,
  },
  {
    name: 'while the old one drains',
    before: (old) => shop.slices(other, ending(old)),
    after: (_, fresh) => [shop.slices(other, fresh)],
    isSame: true,
  },
  {
    name: 'not ready at first',
    before: (old) => shop.slices(other, ending(old)),
    after: (_, fresh) => [
      shop.slices(other, { host: fresh, ready: false }),
      shop.slices(other, fresh),
    ],
    isSame: true,
  },
  {
    name: 'when the old one has just left',
    before: () => shop.slices(other),
    after: (_, fresh) => [shop.slices(other, fresh)],
    isSame: true,
  },
  {
    name: 'in another Service, while the old one drains',
    before: (old) => shop.slices(other, ending(old)),
    after: (_, fresh) => [successorShop.slices(fresh)],
    isSame: false,
  },
  {
    name: 'in another Service, when the old one has just left',
    before: () => shop.slices(other),
    after: (_, fresh) => [successorShop.slices(fresh)],
    isSame: false,
  },
];

test.each(courses)('an address that another pod gets: $name', async ({ before, after, isSame }) => {
  const old = newPod();
  proxy.tell(...shop.slices(old.host));
  await proxy.settled();
  await expect
    .poll(() => weights(node, other, `TCP ${shop.vip.addresses.IPv4}`), { timeout: 10_000 })
    .toEqual([]);
  const all = await connections();
  for (const connection of all)
    expect(await connection.ask()).toMatchObject({ server: old.host.name });
  proxy.tell(...(before?.(old.host) ?? []));
  await proxy.settled();
  takeAway(old);
  const fresh = newPod();
  for (const changes of after(old.host, fresh.host)) {
    proxy.tell(...changes);
    await proxy.settled();
  }
  // From now on all that is known of the old connections is wrong.
  const talks = talkOn(all);
  const isThere = () =>
    weights(node, fresh.host, `TCP ${(isSame ? shop : successorShop).vip.addresses.IPv4}`);
  await expect.poll(isThere, { timeout: 5_000, interval: 20 }).toEqual([1]);
  expect(listed(node, fresh.host).filter(({ active, inactive }) => active + inactive > 0)).toEqual(
    [],
  );
  expect(await talks).toEqual(all.map(() => 'reset'));
  expect(strays(fresh)).toEqual({ resets: 0, outOfTheBlue: 0 });
  expect(fresh.servers.flatMap(({ seen }) => seen)).toEqual([]);
  // It is a server as any other, and nothing ends it.
  const answers = await askAll(caller, isSame ? shop.vip : successorShop.vip);
  const again = await askAll(caller, isSame ? shop.vip : successorShop.vip);
  expect(JSON.stringify([answers, again])).toContain(fresh.host.name);
  expect(
    proxy.proxier.graceful.isDraining(
      { address: shop.vip.addresses.IPv4, protocol: 'TCP', port: 80 },
      { address: ip('10.0.1.1'), port: 8080 },
    ),
  ).toBe(false);
  for (const connection of all) connection.close();
  proxy.tell(...shop.slices(other), ...successorShop.slices());
  await proxy.settled();
  takeAway(fresh);
});

describe('how long the kernel remembers', () => {
  test('a real server that was away for 50 ms comes back without connections; one that was away for less may not', async () => {
    const { host, servers } = newPod();
    const server = { address: ip('203.0.113.99'), protocol: 'TCP', port: 90 } as const;
    const backend = {
      address: ip('10.0.1.1'),
      port: 8080,
      weight: 1,
      forwarding: 'masquerade',
      upperThreshold: 0,
      lowerThreshold: 0,
    } as const;
    const ipvs = openIpvs({});
    node.namespace.run('ip', 'addr', 'add', '203.0.113.99/32', 'dev', 'lo');
    const virtual = {
      ...server,
      scheduler: 'rr',
      flags: 0,
      timeout: 0,
      prefixLength: 32,
      persistenceEngine: '',
    } as const;
    ipvs.write([
      { kind: 'addVirtualServer', server: virtual },
      { kind: 'addRealServer', server, backend },
    ]);
    const revived: Record<number, number> = {};
    for (const pause of [0, 2, 4, 8, 12, 20, 30, 50]) {
      revived[pause] = 0;
      for (let round = 0; round < (pause === 50 ? 20 : 5); round++) {
        const some = await Promise.all(Array.from({ length: 10 }, () => connect(caller, server)));
        ipvs.write([{ kind: 'deleteRealServer', server, backend }]);
        const until = performance.now() + pause;
        while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
        ipvs.write([{ kind: 'addRealServer', server, backend }]);
        const [status] = await ipvs.realServers(server);
        if (status !== undefined && status.activeConnections + status.inactiveConnections > 0)
          revived[pause]++;
        for (const connection of some) connection.close();
        ipvs.write([{ kind: 'deleteRealServer', server, backend }]);
        await new Promise((resolve) => setTimeout(resolve, 60));
        ipvs.write([{ kind: 'addRealServer', server, backend }]);
      }
    }
    ipvs.write([{ kind: 'deleteVirtualServer', server }]);
    ipvs.close();
    for (const one of servers) one.close();
    network.remove(host);
    console.info('came back with connections, of 5 (of 20 after 50 ms):', revived);
    expect(revived[50]).toBe(0);
    expect(revived[0]).toBeGreaterThan(0);
  });
});
