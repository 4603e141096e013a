import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Family, families } from '../../pkg/ip/address.ts';
import { packUid } from '../../pkg/kube/objects/pod-uid.ts';
import { ip } from '../support/addresses.ts';
import { type Connection, open } from '../support/network/client.ts';
import { type Host, Network } from '../support/network/network.ts';
import { type Server, serve } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { silence } from '../support/patience.ts';
import { addressOf, ShopService, type Target } from '../support/traffic.ts';

// Clients that only wait when their server goes, on every path to it: they must be told, and nobody else disturbed.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const [web1, web2, web3, web4] = [1, 2, 3, 4].map((number) => addPod(`web${number}`, number)) as [
  Host,
  Host,
  Host,
  Host,
];
const caller = addPod('caller', 11);
const { node } = network;
const shop = new ShopService('shop', 1);
const servers: Server[] = [];
let proxy: NodeProxy;

function addPod(name: string, number: number): Host {
  return network.addPod(name, [ip(`10.0.1.${number}`), ip(`fd00:10:0:1::${number}`)]);
}

beforeAll(async () => {
  for (const host of [web1, web2, web3, web4]) {
    for (const family of families)
      servers.push(serve(host, { protocol: 'TCP', port: 8080, address: addressOf(host, family) }));
  }
  proxy = new NodeProxy(node.namespace);
  proxy.report(shop.service(), ...shop.slices(web1, web3));
  await proxy.settled();
});

afterAll(async () => {
  for (const server of servers) server.close();
  await proxy.stop();
  network.close();
});

const paths: readonly (readonly [string, Host, Target])[] = [
  ['a pod', caller, shop.vip],
  ['the node', node, shop.vip],
  ['a client outside, through the node port', client, shop.nodePort],
  ['a pod, through the node port', caller, shop.nodePort],
  ['the node, through the node port', node, shop.nodePort],
];

/** A connection that stands, and who answers it. */
interface Standing {
  readonly path: string;
  readonly host: Host;
  readonly target: Target;
  readonly family: Family;
  readonly sourcePort: number;
  readonly server: string;
  readonly connection: Connection;
}

let nextPort = 20_000;

/** Two connections in a row on every path in every family: with round robin and two real servers, one to each. */
async function connectEverywhere(): Promise<readonly Standing[]> {
  const standing: Standing[] = [];
  for (const [name, host, target] of paths) {
    for (const family of families) {
      for (let count = 0; count < 2; count++) {
        const sourcePort = nextPort++;
        const path = `${name}, ${family}`;
        const { server, connection } = await connect(host, { target, family, sourcePort });
        standing.push({ path, host, target, family, sourcePort, server, connection });
      }
    }
  }
  return standing;
}

async function connect(
  host: Host,
  { target, family, sourcePort }: { target: Target; family: Family; sourcePort: number },
): Promise<{ server: string; connection: Connection }> {
  const { addresses, port } = target;
  const address = addresses[family];
  const connection = await open(host, { protocol: 'TCP', address, port, sourcePort });
  if ('kind' in connection) throw new Error(`${host.name} could not connect: ${connection.kind}`);
  const answer = await connection.ask();
  if (answer.kind !== 'answer') throw new Error(`${host.name} got no answer: ${answer.kind}`);
  return { server: answer.server, connection };
}

/** How each connection ended, seen from now on. */
function watch(standing: readonly Standing[]) {
  return Promise.all(
    standing.map(async ({ path, connection }) => [path, await connection.ended()] as const),
  );
}

/** Conntrack's flows whose first packet went to where one of these clients is: only a SYN of ours makes one. */
function flowsOfSyns(standing: readonly Standing[]): readonly string[] {
  const ports = new Set(standing.map(({ sourcePort }) => `${sourcePort}`));
  return flows().filter((flow) => ports.has(/ dport=(\d+)/.exec(flow)?.[1] ?? ''));
}

const everyPath = paths.flatMap(([name]) => families.map((family) => `${name}, ${family}`));

/** How a pod goes: it terminates, and then it is out of its slice. */
async function end(gone: Host): Promise<void> {
  const dying = { ready: false, serving: false, terminating: true };
  proxy.report(...shop.slices({ host: gone, ...dying }, web3));
  await proxy.settled();
  proxy.report(...shop.slices(web3));
}

/** Its slice says that another pod has its address, and is wanted in its place. */
function succeed(gone: Host): void {
  proxy.report(...shop.slices({ host: gone, podUid: packUid('another') }, web3));
}

async function cutOff(gone: Host): Promise<void> {
  network.cut(gone);
  await end(gone);
}

/** The kernel forgets masqueraded flows of a device that goes down: those of node ports and of the node itself. */
async function unplug(gone: Host): Promise<void> {
  const answered = () =>
    flows().filter((flow) => gone.addresses.some((address) => flow.includes(` src=${address} `)));
  expect(answered()).toHaveLength(everyPath.length);
  network.cut(gone, { side: 'node' });
  await expect.poll(() => answered().length).toBeLessThan(everyPath.length);
  await end(gone);
}

/** What conntrack knows of TCP. */
function flows(): readonly string[] {
  return ['ipv4', 'ipv6'].flatMap((family) =>
    node.namespace.run('conntrack', '-L', '-p', 'tcp', '-f', family).split('\n'),
  );
}

describe.each([
  ['is gone', web1, end],
  ['has lost its address to another', web1, succeed],
  ['was cut off, and is gone then', web2, cutOff],
  ["was cut off at the node's end, and is gone then", web4, unplug],
] as const)('when their pod %s', (_, gone, lose) => {
  let standing: readonly Standing[];
  const of = (server: Host) => standing.filter((one) => one.server === server.name);

  beforeAll(async () => {
    proxy.report(...shop.slices(gone, web3));
    await proxy.settled();
    standing = await connectEverywhere();
    expect(of(gone).map(({ path }) => path)).toEqual(everyPath);
    expect(of(web3).map(({ path }) => path)).toEqual(everyPath);
  });

  afterAll(() => {
    for (const { connection } of standing) connection.close();
  });

  test('clients that only wait are reset, on every path', async () => {
    const sent = proxy.clients.sent;
    const ends = watch(of(gone));
    await lose(gone);
    expect(await ends).toEqual(everyPath.map((path) => [path, 'reset']));
    // Whoever came in its place leaves too: new clients go elsewhere.
    proxy.report(...shop.slices(web3));
    await proxy.settled();
    await expect
      .poll(() => proxy.clients)
      .toEqual({ sent: sent + everyPath.length, failed: 0, skipped: 0 });
  });

  test('nothing is left of the SYNs, and then their ports can be used again', async () => {
    // Until then it can catch whoever uses the port.
    await expect.poll(() => flowsOfSyns(of(gone))).toEqual([]);
    for (const { host, target, family, sourcePort, connection } of of(gone)) {
      connection.close();
      const again = await connect(host, { target, family, sourcePort });
      expect(again.server).toBe('web3');
      expect(await again.connection.ended(50)).toBe('open');
      again.connection.close();
    }
  });

  test('clients of other real servers carry on', async () => {
    for (const { path, connection } of of(web3))
      expect([path, await connection.ask()]).toEqual([
        path,
        expect.objectContaining({ kind: 'answer', server: 'web3' }),
      ]);
  });

  test('clients of other real servers carry on if they get such a SYN', async () => {
    for (const { target, family, host, sourcePort } of of(web3)) {
      const server = target.addresses[family];
      const own = host === node ? server : addressOf(host, family);
      const ends = { server, serverPort: target.port, client: own, clientPort: sourcePort };
      proxy.resetter.challenge(ends);
    }
    const ends = await Promise.all(of(web3).map(({ connection }) => connection.ended(silence)));
    expect(new Set(ends)).toEqual(new Set(['open']));
    for (const { path, connection } of of(web3))
      expect([path, await connection.ask()]).toEqual([
        path,
        expect.objectContaining({ kind: 'answer', server: 'web3' }),
      ]);
  });
});
