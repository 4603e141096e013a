import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Family } from '../../pkg/ip/address.ts';
import { RawResetter } from '../../pkg/reset/raw.ts';
import { resetterContract } from '../contract/reset.ts';
import { ip } from '../support/addresses.ts';
import { capture } from '../support/network/capture.ts';
import { type Connection, open } from '../support/network/client.ts';
import { Network } from '../support/network/network.ts';
import { type Server, serve } from '../support/network/server.ts';
import { silence } from '../support/patience.ts';

// The SYN on the wire, and what it does to a client, without IPVS: the server is a process of the node on the VIP itself.

const network = new Network();
network.addClient('client', [ip('203.0.113.7')]);
const pod = network.addPod('pod', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const vips = { IPv4: ip('172.30.0.1'), IPv6: ip('fd00:172:30::1') } as const;
const pods = { IPv4: ip('10.0.1.1'), IPv6: ip('fd00:10:0:1::1') } as const;
const families: readonly Family[] = ['IPv4', 'IPv6'];
const servers: Server[] = [];
let leave = () => {};

beforeAll(() => {
  for (const vip of Object.values(vips))
    network.node.namespace.run('ip', 'address', 'add', vip, 'dev', 'lo');
  for (const address of Object.values(vips))
    servers.push(serve(network.node, { protocol: 'TCP', port: 80, address }));
  leave = network.node.namespace.enter();
});

afterAll(() => {
  leave();
  for (const server of servers) server.close();
  network.close();
});

describe('the kernel keeps the contract', () => {
  resetterContract(async () => {
    const resetter = new RawResetter();
    const capturing = await capture(pod);
    const end = { serverPort: 80, clientPort: 40_000 };
    return {
      resetter,
      connections: families.map((family) => ({
        ...end,
        server: vips[family],
        client: pods[family],
      })),
      unreachable: { ...end, server: vips.IPv4, client: ip('203.0.113.99') },
      received: capturing.seen,
      async dispose() {
        resetter.close();
        await capturing.close();
      },
    };
  });
});

/** A counter of the pod's TCP (`/proc/net/netstat`). */
function counter(name: string): number {
  const [names = '', values = ''] = pod.namespace
    .run('cat', '/proc/net/netstat')
    .split('\n')
    .filter((text) => text.startsWith('TcpExt:'));
  return Number(values.split(' ')[names.split(' ').indexOf(name)]);
}

async function connected(family: Family, sourcePort: number): Promise<Connection> {
  const connection = await open(pod, {
    protocol: 'TCP',
    address: vips[family],
    port: 80,
    sourcePort,
  });
  if ('kind' in connection) throw new Error(`could not connect: ${connection.kind}`);
  expect(await connection.ask()).toMatchObject({ kind: 'answer', server: 'node' });
  return connection;
}

/** The server's end vanishes without a word, as behind a real server that is deleted. */
function forgetSilently(family: Family, clientPort: number): void {
  const iptables = family === 'IPv4' ? 'iptables' : 'ip6tables';
  const rule = ['OUTPUT', '-p', 'tcp', '--tcp-flags', 'RST', 'RST', '-j', 'DROP'];
  const { namespace } = network.node;
  namespace.run(iptables, '-A', ...rule);
  namespace.run('ss', '--kill', `sport = :80 and dport = :${clientPort}`);
  namespace.run(iptables, '-D', ...rule);
}

describe.each(families)('a client over %s', (family) => {
  const resetter = new RawResetter();
  afterAll(() => resetter.close());

  test('whose connection stands takes it for a challenge, and carries on', async () => {
    const connection = await connected(family, 41_000);
    const before = counter('TCPSYNChallenge');
    resetter.challenge({
      server: vips[family],
      serverPort: 80,
      client: pods[family],
      clientPort: 41_000,
    });
    expect(await connection.ended(silence)).toBe('open');
    expect(counter('TCPSYNChallenge')).toBe(before + 1);
    expect(await connection.ask()).toMatchObject({ kind: 'answer', server: 'node' });
    connection.close();
  });

  test('whose server has forgotten it is reset, though it only waits', async () => {
    const connection = await connected(family, 42_000);
    forgetSilently(family, 42_000);
    expect(await connection.ended(silence)).toBe('open');
    resetter.challenge({
      server: vips[family],
      serverPort: 80,
      client: pods[family],
      clientPort: 42_000,
    });
    expect(await connection.ended()).toBe('reset');
    connection.close();
  });
});
