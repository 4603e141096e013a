import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { type DeletionOptions, Deletions } from '../../../test/support/deletions.ts';
import type { IpvsConnection } from '../../connections/connections.ts';
import type { Flow, TcpState } from '../../conntrack/conntrack.ts';
import type { IpAddress } from '../../ip/address.ts';
import { printChallenge } from '../../reset/reset.ts';
import { unknownPod } from '../desired/pod-identity.ts';
import type { DrainRequest } from './list.ts';

const vip = ip('172.30.0.1');
const gone = ip('10.0.0.1');
const well = ip('10.0.0.2');
const client = ip('10.0.1.1');

let stand: Deletions;
let clock: Deletions['clock'];
let conntrack: Deletions['conntrack'];
let connections: Deletions['connections'];
let resetter: Deletions['resetter'];
let events: string[];

beforeEach(() => {
  stand = new Deletions();
  ({ clock, conntrack, connections, resetter, events } = stand);
});

afterEach(async () => await stand.stop());

interface Wanted {
  readonly from?: IpAddress;
  readonly sourcePort?: number;
  readonly to?: IpAddress;
  readonly port?: number;
  readonly realServer?: IpAddress;
  readonly masqueradedBy?: IpAddress;
  readonly tcpState?: TcpState;
}

/** A connection of a client through a virtual server to a real one. */
function connect(wanted: Wanted = {}): Flow {
  const { from = client, sourcePort = 1024, to = vip, port = 80, realServer = gone } = wanted;
  return conntrack.insert({
    protocol: 'TCP',
    original: { source: from, destination: to, sourcePort, destinationPort: port },
    reply: {
      source: realServer,
      destination: wanted.masqueradedBy ?? from,
      sourcePort: 8080,
      destinationPort: sourcePort,
    },
    zone: 0,
    mark: 0,
    status: 0,
    tcpState: wanted.tcpState ?? 'ESTABLISHED',
  });
}

function request({
  address = vip,
  realServer = gone,
  port = 80,
}: {
  address?: IpAddress;
  realServer?: IpAddress;
  port?: number;
} = {}): DrainRequest {
  return {
    virtualServer: { address, protocol: 'TCP', port },
    realServer: { address: realServer, port: 8080, weight: 0, forwarding: 'masquerade' } as never,
    podUid: unknownPod,
  };
}

/** Deletes real servers of which IPVS counts no connections, all of them unless told otherwise. */
function part(requests: readonly DrainRequest[], deleted = requests): void {
  partCounted(requests, { connections: 0, deleted });
}

/** Deletes real servers; what ends with the program is not waited for. */
function partCounted(requests: readonly DrainRequest[], options: DeletionOptions): void {
  stand.delete(requests, options).catch(() => undefined);
}

const challenged = () => resetter.challenged.map(printChallenge);

describe('clients', () => {
  test('are reset within a fifth of a second after their real server was deleted', async () => {
    connect();
    part([request()]);
    await clock.advance(50);
    expect([events, challenged()]).toEqual([['50 cut'], []]);
    await clock.advance(200);
    expect(events).toEqual(['50 cut', '150 sent 1']);
    expect(challenged()).toEqual(['172.30.0.1:80 > 10.0.1.1:1024']);
  });

  test.each<[string, Wanted]>([
    ['of another real server', { realServer: well }],
    ['of another virtual server', { to: ip('172.30.0.2') }],
    ['of another port', { port: 81 }],
    ['that have not connected yet', { tcpState: 'SYN_RECV' }],
    ['that are done', { tcpState: 'TIME_WAIT' }],
  ])('%s are left alone', async (_, wanted) => {
    connect(wanted);
    part([request()]);
    await clock.advance(1_000);
    expect([events, challenged()]).toEqual([['50 cut'], []]);
  });

  test('that are masqueraded are reset under their own addresses', async () => {
    connect({ from: ip('203.0.113.7'), masqueradedBy: ip('192.168.0.10') });
    connect({ from: vip, masqueradedBy: ip('192.168.0.10') });
    part([request()]);
    await clock.advance(1_000);
    expect(challenged()).toEqual([
      '172.30.0.1:80 > 203.0.113.7:1024',
      '172.30.0.1:80 > 172.30.0.1:1024',
    ]);
  });

  test('of IPv6 are reset', async () => {
    const address = ip('fd00:172:30::1');
    const realServer = ip('fd00:10::1');
    connect({ from: ip('fd00:10:0:1::1'), to: address, realServer });
    part([request({ address, realServer })]);
    await clock.advance(1_000);
    expect(challenged()).toEqual(['[fd00:172:30::1]:80 > [fd00:10:0:1::1]:1024']);
  });

  test('of real servers that were not deleted after all are left alone', async () => {
    connect({ sourcePort: 1 });
    connect({ sourcePort: 2, realServer: well });
    part([request(), request({ realServer: well })], [request({ realServer: well })]);
    await clock.advance(1_000);
    expect(challenged()).toEqual(['172.30.0.1:80 > 10.0.1.1:2']);
  });

  test('are reset a thousand a second', async () => {
    for (let sourcePort = 1; sourcePort <= 2_500; sourcePort++) connect({ sourcePort });
    part([request()]);
    await clock.advance(150 + 999);
    expect(challenged()).toHaveLength(1_000);
    await clock.advance(1_000);
    expect(challenged()).toHaveLength(2_000);
    await clock.advance(1_000);
    expect(new Set(challenged()).size).toBe(2_500);
  });

  test('that cannot be reset are counted, and the others reset', async () => {
    connect({ sourcePort: 1 });
    connect({ sourcePort: 2 });
    resetter.failWith = ({ clientPort }) => (clientPort === 1 ? 'ENETUNREACH' : undefined);
    part([request()]);
    await clock.advance(1_000);
    expect(events).toEqual(['50 cut', '150 sent 1', '150 failed 1']);
    expect(stand.log.lines().at(-1)).toBe(
      'error could not reset clients of a deleted real server: send SYN 172.30.0.1:80 > 10.0.1.1:1: ENETUNREACH {"clients":1}',
    );
  });
});

describe('clients that conntrack has forgotten', () => {
  /** What IPVS knows of a connection through the virtual server to the one that goes. */
  function balance(over: Partial<IpvsConnection> = {}): void {
    connections.insert({
      protocol: 'TCP',
      client,
      clientPort: 2048,
      address: vip,
      port: 80,
      realAddress: gone,
      realPort: 8080,
      state: 'ESTABLISHED',
      ...over,
    });
  }

  test('are found in the table of IPVS, and reset beside the others', async () => {
    connect();
    balance({ clientPort: 1024 });
    balance({ client: ip('203.0.113.7') });
    partCounted([request()], { connections: 2 });
    await clock.advance(1_000);
    expect(events).toEqual(['50 cut', '150 sent 2']);
    expect(challenged()).toEqual([
      '172.30.0.1:80 > 10.0.1.1:1024',
      '172.30.0.1:80 > 203.0.113.7:2048',
    ]);
  });

  test('are not looked for where conntrack knows as many as IPVS counts', async () => {
    connect();
    connect({ sourcePort: 1025, tcpState: 'SYN_RECV' });
    partCounted([request()], { connections: 2 });
    await clock.advance(1_000);
    expect([events, connections.dumps]).toEqual([['50 cut', '150 sent 1'], 0]);
  });

  test('are looked for where nobody has counted, and nobody is missing', async () => {
    balance();
    partCounted([request()], { connections: undefined });
    await clock.advance(1_000);
    expect(events).toEqual(['50 cut', '150 sent 1']);
  });

  test('are counted if nobody knows them', async () => {
    connect();
    balance();
    partCounted([request()], { connections: 5 });
    await clock.advance(1_000);
    expect(events).toEqual(['50 cut', '50 skipped 3', '150 sent 2']);
  });

  test('are not looked for beyond 20,000 entries, and counted', async () => {
    for (let clientPort = 1; clientPort <= 20_000; clientPort++)
      balance({ clientPort, client: ip('203.0.113.7'), realAddress: well });
    balance();
    partCounted([request()], { connections: 1 });
    await clock.advance(1_000);
    expect([events, challenged()]).toEqual([['50 cut', '50 skipped 1'], []]);
  });

  test('are counted if the table cannot be read, and the real servers are deleted', async () => {
    connections.failWith = () => 'EACCES';
    partCounted([request()], { connections: 2 });
    await clock.advance(1_000);
    expect(events).toEqual(['50 cut', '50 skipped 2']);
    expect(stand.log.lines().at(-1)).toBe(
      'error could not look up the connections of real servers that go: read the connections of IPVS: EACCES',
    );
  });

  test('are left alone if they have another connection from the same port by now', async () => {
    balance();
    partCounted([request()], { connections: 1 });
    await clock.advance(50);
    connect({ sourcePort: 2048, realServer: well });
    await clock.advance(1_000);
    expect([events, challenged()]).toEqual([['50 cut'], []]);
    expect(conntrack.print()).toContain(`src=${well}`);
  });

  test('leave nothing in conntrack', async () => {
    balance();
    partCounted([request()], { connections: 1 });
    await clock.advance(1_000);
    expect([challenged().length, conntrack.print()]).toEqual([1, '']);
  });

  test('of a real server that bears no delay are reset as well', async () => {
    balance();
    await stand.deleteNow([request()], 3);
    await clock.advance(1_000);
    expect(events).toEqual(['0 cut', '0 skipped 2', '100 sent 1']);
  });
});

describe('beyond 20,000 connections', () => {
  function connectMany(count: number, over: Wanted = {}): void {
    for (let index = 0; index < count; index++) {
      const from = ip(`10.1.${Math.floor(index / 250)}.${(index % 250) + 1}`);
      connect({ from, ...over });
    }
  }

  test('nobody is reset, all are counted, and the real servers are deleted', async () => {
    connectMany(20_001);
    part([request()]);
    await clock.advance(1_000);
    expect([events, challenged()]).toEqual([['50 cut', '50 failed 20001'], []]);
    expect(stand.log.lines().at(-1)).toContain('clients of a deleted real server are not reset');
  });

  test('those that still wait count, and are reset', async () => {
    connectMany(20_000);
    part([request()]);
    await clock.advance(50);
    connect({ to: ip('172.30.0.2') });
    part([request({ address: ip('172.30.0.2') })]);
    await clock.advance(1_000);
    expect(events).toContain('1050 cut');
    await clock.advance(30_000);
    expect(events.filter((event) => event.includes('failed'))).toEqual([]);
    expect(challenged()).toHaveLength(20_001);
  });

  test('those that wait and new ones together', async () => {
    connectMany(20_000);
    part([request()]);
    await clock.advance(50);
    connectMany(1_000, { to: ip('172.30.0.2') });
    part([request({ address: ip('172.30.0.2') })]);
    await clock.advance(1_000);
    await clock.advance(30_000);
    expect(events.filter((event) => event.includes('failed'))).toEqual(['1050 failed 1000']);
    expect(challenged()).toHaveLength(20_000);
  });
});

describe('requests', () => {
  test('that come together are served together', async () => {
    part([request()]);
    await clock.advance(49);
    part([request({ port: 81 })]);
    await clock.advance(1);
    expect([events, conntrack.calls.dump]).toEqual([['50 cut', '50 cut'], 1]);
  });

  test('that come within a second share the next dump, each with its own cut', async () => {
    part([request()]);
    await clock.advance(150);
    connect();
    part([request()]);
    await clock.advance(400);
    part([request({ port: 81 })]);
    await clock.advance(499);
    expect([events, conntrack.calls.dump]).toEqual([['50 cut'], 1]);
    await clock.advance(1);
    expect([events, conntrack.calls.dump]).toEqual([['50 cut', '1050 cut', '1050 cut'], 2]);
    await clock.advance(10_000);
    expect(conntrack.calls.dump).toBe(2);
  });

  test('of both families take one dump of each', async () => {
    part([request(), request({ address: ip('fd00:172:30::1'), realServer: ip('fd00:10::1') })]);
    await clock.advance(50);
    expect(conntrack.calls.dump).toBe(2);
  });

  test('are carried out although nobody can be looked up', async () => {
    connect();
    conntrack.failWith = ({ call }) => (call === 'dump' ? 'EPERM' : undefined);
    part([request()]);
    await clock.advance(1_000);
    expect([events, challenged()]).toEqual([['50 cut'], []]);
    expect(stand.log.lines().at(-1)).toContain('could not look up the IPv4 clients');
  });

  test('that wait when the program stops are left as they are', async () => {
    part([request()]);
    await clock.advance(50);
    part([request()]);
    await stand.stop();
    expect(events).toEqual(['50 cut']);
  });
});

describe('requests that bear no delay', () => {
  const partNow = (requests: readonly DrainRequest[], counted = 0) =>
    stand.deleteNow(requests, counted);

  test('are carried out at once, and their clients reset', async () => {
    connect();
    await partNow([request()]);
    expect(events).toEqual(['0 cut']);
    await clock.advance(200);
    expect(events).toEqual(['0 cut', '100 sent 1']);
  });

  test('wait for the next dump of their family where the last one began less than a second before', async () => {
    connect();
    part([request({ port: 81 })]);
    await clock.advance(1_049);
    void partNow([request()], 7);
    await partNow([request({ address: ip('fd00:172:30::1'), realServer: ip('fd00:10::1') })]);
    expect([events, conntrack.calls.dump]).toEqual([['50 cut', '1049 cut'], 2]);
    await clock.advance(200);
    expect(events.slice(2)).toEqual(['1050 cut', '1050 skipped 6', '1150 sent 1']);
  });

  test('make others wait for the next second', async () => {
    await partNow([request()]);
    part([request({ port: 81 })]);
    await clock.advance(999);
    expect([events, conntrack.calls.dump]).toEqual([['0 cut'], 1]);
    await clock.advance(1);
    expect([events, conntrack.calls.dump]).toEqual([['0 cut', '1000 cut'], 2]);
    expect(stand.restored).toEqual([0, 1000]);
  });
});

describe('conntrack', () => {
  test('has forgotten the old flow, and expects the SYN, before it is sent', async () => {
    const flow = connect();
    const held: string[] = [];
    resetter.failWith = () => {
      held.push(conntrack.print());
      return undefined;
    };
    part([request()]);
    await clock.advance(150);
    expect(conntrack.delete([flow])).toBe(0);
    expect(held).toEqual([
      'tcp SYN_SENT src=172.30.0.1 dst=10.0.1.1 sport=80 dport=1024 src=10.0.1.1 dst=172.30.0.1 sport=1024 dport=80 mark=0',
    ]);
  });

  test('keeps a later flow of the same client, who is not reset', async () => {
    const first = connect();
    part([request()]);
    await clock.advance(50);
    conntrack.delete([first]);
    connect({ realServer: well });
    await clock.advance(1_000);
    expect(conntrack.print()).toContain(`src=${well}`);
    expect([events, challenged()]).toEqual([['50 cut'], []]);
  });

  test('loses what the SYN left 200 ms later', async () => {
    connect();
    part([request()]);
    await clock.advance(150 + 199);
    expect(conntrack.print()).toContain('SYN_SENT');
    await clock.advance(1);
    expect(conntrack.print()).toBe('');
    await clock.advance(0);
    // The readers of conntrack wait too, one for each family.
    expect(clock.pending()).toBe(3);
    await clock.advance(50);
    expect(clock.pending()).toBe(2);
  });

  test('loses it at once when the program stops', async () => {
    connect();
    part([request()]);
    await clock.advance(150);
    expect(conntrack.print()).toContain('SYN_SENT');
    await stand.stop();
    expect(conntrack.print()).toBe('');
  });

  test('that cannot be changed is no reason not to reset', async () => {
    connect();
    conntrack.failWith = ({ call }) => (call === 'dump' ? undefined : 'EPERM');
    part([request()]);
    await clock.advance(1_000);
    expect(events).toEqual(['50 cut', '150 sent 1']);
  });
});
