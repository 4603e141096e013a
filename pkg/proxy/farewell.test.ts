import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import type { Flow, TcpState } from '../conntrack/conntrack.ts';
import { FakeConntrack } from '../conntrack/fake.ts';
import type { IpAddress } from '../ip/address.ts';
import { recordingLogger } from '../log/memory.ts';
import { FakeResetter } from '../reset/fake.ts';
import { printChallenge } from '../reset/reset.ts';
import { type ManualClock, manualClock } from '../runner/manual-clock.ts';
import type { DrainRequest } from './drain-list.ts';
import { ClientFarewell } from './farewell.ts';

const vip = ip('172.30.0.1');
const [gone, well] = [ip('10.0.0.1'), ip('10.0.0.2')];
const client = ip('10.0.1.1');

let clock: ManualClock;
let conntrack: FakeConntrack;
let resetter: FakeResetter;
let farewell: ClientFarewell;
/** What happened, in order, with its time. */
let events: string[];
const log = recordingLogger();
let abort: AbortController;
let ended: Promise<void>;

beforeEach(() => {
  clock = manualClock();
  conntrack = new FakeConntrack();
  resetter = new FakeResetter();
  events = [];
  farewell = new ClientFarewell({
    conntrack,
    resetter,
    clock,
    log,
    onTold: (count) => events.push(`${clock.now()} told ${count}`),
    onUntold: (count) => events.push(`${clock.now()} untold ${count}`),
  });
  abort = new AbortController();
  ended = farewell.run(abort.signal);
});

afterEach(async () => {
  abort.abort();
  await ended;
  if (clock.pending() > 0) throw new Error('a timer is left');
});

interface Wanted {
  readonly from?: IpAddress;
  readonly sourcePort?: number;
  readonly to?: IpAddress;
  readonly port?: number;
  readonly backend?: IpAddress;
  readonly masqueradedBy?: IpAddress;
  readonly tcpState?: TcpState;
}

/** A connection of a client through a virtual server to a real one. */
function connect(wanted: Wanted = {}): Flow {
  const { from = client, sourcePort = 1024, to = vip, port = 80, backend = gone } = wanted;
  return conntrack.insert({
    protocol: 'TCP',
    original: { source: from, destination: to, sourcePort, destinationPort: port },
    reply: {
      source: backend,
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
  backend = gone,
  port = 80,
}: {
  address?: IpAddress;
  backend?: IpAddress;
  port?: number;
} = {}): DrainRequest {
  return {
    server: { address, protocol: 'TCP', port },
    backend: { address: backend, port: 8080, weight: 0, forwarding: 'masquerade' } as never,
    podUid: '',
  };
}

/** Asks for a farewell; the cut deletes everything unless told otherwise. */
function part(requests: readonly DrainRequest[], deleted = requests): void {
  farewell.part(requests, async () => {
    events.push(`${clock.now()} cut`);
    return deleted;
  });
}

const challenged = () => resetter.challenged.map(printChallenge);

describe('clients', () => {
  test('are told within a fifth of a second after their server was deleted', async () => {
    connect();
    part([request()]);
    await clock.advance(50);
    expect([events, challenged()]).toEqual([['50 cut'], []]);
    await clock.advance(200);
    expect(events).toEqual(['50 cut', '150 told 1']);
    expect(challenged()).toEqual(['172.30.0.1:80 > 10.0.1.1:1024']);
  });

  test.each<[string, Wanted]>([
    ['of another server', { backend: well }],
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

  test('that are masqueraded are told under their own addresses', async () => {
    connect({ from: ip('203.0.113.7'), masqueradedBy: ip('192.168.0.10') });
    connect({ from: vip, masqueradedBy: ip('192.168.0.10') });
    part([request()]);
    await clock.advance(1_000);
    expect(challenged()).toEqual([
      '172.30.0.1:80 > 203.0.113.7:1024',
      '172.30.0.1:80 > 172.30.0.1:1024',
    ]);
  });

  test('of IPv6 are told', async () => {
    const [address, backend] = [ip('fd00:172:30::1'), ip('fd00:10::1')];
    connect({ from: ip('fd00:10:0:1::1'), to: address, backend });
    part([request({ address, backend })]);
    await clock.advance(1_000);
    expect(challenged()).toEqual(['[fd00:172:30::1]:80 > [fd00:10:0:1::1]:1024']);
  });

  test('of servers that were not deleted after all are left alone', async () => {
    connect({ sourcePort: 1 });
    connect({ sourcePort: 2, backend: well });
    part([request(), request({ backend: well })], [request({ backend: well })]);
    await clock.advance(1_000);
    expect(challenged()).toEqual(['172.30.0.1:80 > 10.0.1.1:2']);
  });

  test('are told a thousand a second', async () => {
    for (let sourcePort = 1; sourcePort <= 2_500; sourcePort++) connect({ sourcePort });
    part([request()]);
    await clock.advance(150 + 999);
    expect(challenged()).toHaveLength(1_000);
    await clock.advance(1_000);
    expect(challenged()).toHaveLength(2_000);
    await clock.advance(1_000);
    expect(new Set(challenged()).size).toBe(2_500);
  });

  test('that cannot be told are counted, and the others told', async () => {
    connect({ sourcePort: 1 });
    connect({ sourcePort: 2 });
    resetter.failWith = ({ clientPort }) => (clientPort === 1 ? 'ENETUNREACH' : undefined);
    part([request()]);
    await clock.advance(1_000);
    expect(events).toEqual(['50 cut', '150 told 1', '150 untold 1']);
    expect(log.lines().at(-1)).toBe(
      'error could not tell clients that their server is gone: send SYN 172.30.0.1:80 > 10.0.1.1:1: ENETUNREACH {"clients":1}',
    );
  });
});

describe('beyond 20,000 connections', () => {
  function connectMany(count: number, over: Wanted = {}): void {
    for (let index = 0; index < count; index++) {
      const from = ip(`10.1.${Math.floor(index / 250)}.${(index % 250) + 1}`);
      connect({ from, ...over });
    }
  }

  test('nobody is told, all are counted, and the servers are deleted', async () => {
    connectMany(20_001);
    part([request()]);
    await clock.advance(1_000);
    expect([events, challenged()]).toEqual([['50 cut', '50 untold 20001'], []]);
    expect(log.lines().at(-1)).toContain('too many clients');
  });

  test('those that still wait count, and are told', async () => {
    connectMany(20_000);
    part([request()]);
    await clock.advance(50);
    connect({ to: ip('172.30.0.2') });
    part([request({ address: ip('172.30.0.2') })]);
    await clock.advance(1_000);
    expect(events).toContain('1050 cut');
    await clock.advance(30_000);
    expect(events.filter((event) => event.includes('untold'))).toEqual([]);
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
    expect(events.filter((event) => event.includes('untold'))).toEqual(['1050 untold 1000']);
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
    part([request(), request({ address: ip('fd00:172:30::1'), backend: ip('fd00:10::1') })]);
    await clock.advance(50);
    expect(conntrack.calls.dump).toBe(2);
  });

  test('are carried out although nobody can be looked up', async () => {
    connect();
    conntrack.failWith = ({ call }) => (call === 'dump' ? 'EPERM' : undefined);
    part([request()]);
    await clock.advance(1_000);
    expect([events, challenged()]).toEqual([['50 cut'], []]);
    expect(log.lines().at(-1)).toContain('could not look up the clients');
  });

  test('that fail harm no others', async () => {
    connect();
    farewell.part([request({ port: 81 })], () => Promise.reject(new Error('no')));
    part([request()]);
    await clock.advance(1_000);
    expect(events).toEqual(['50 cut', '150 told 1']);
  });

  test('that wait when the program stops are left as they are', async () => {
    part([request()]);
    await clock.advance(50);
    part([request()]);
    abort.abort();
    await ended;
    expect(events).toEqual(['50 cut']);
  });
});

describe('requests that bear no delay', () => {
  const partNow = (requests: readonly DrainRequest[]) =>
    farewell.partNow(
      requests.map((some) => ({ ...some, connections: 7 })),
      () => {
        events.push(`${clock.now()} cut`);
        return requests;
      },
    );

  test('are carried out at once, and their clients told', async () => {
    connect();
    await partNow([request()]);
    expect(events).toEqual(['0 cut']);
    await clock.advance(200);
    expect(events).toEqual(['0 cut', '100 told 1']);
  });

  test('are carried out untold within a second after a dump of their family', async () => {
    connect();
    part([request({ port: 81 })]);
    await clock.advance(1_049);
    await partNow([request()]);
    await partNow([request({ address: ip('fd00:172:30::1'), backend: ip('fd00:10::1') })]);
    expect([events, conntrack.calls.dump]).toEqual([
      ['50 cut', '1049 cut', '1049 untold 7', '1049 cut'],
      2,
    ]);
    await clock.advance(1);
    await partNow([request()]);
    await clock.advance(200);
    expect(events.slice(4)).toEqual(['1050 cut', '1150 told 1']);
  });

  test('make others wait for the next second', async () => {
    await partNow([request()]);
    part([request({ port: 81 })]);
    await clock.advance(999);
    expect([events, conntrack.calls.dump]).toEqual([['0 cut'], 1]);
    await clock.advance(1);
    expect([events, conntrack.calls.dump]).toEqual([['0 cut', '1000 cut'], 2]);
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

  test('keeps a later flow of the same client, who is not told', async () => {
    const first = connect();
    part([request()]);
    await clock.advance(50);
    conntrack.delete([first]);
    connect({ backend: well });
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
    expect(clock.pending()).toBe(1);
    await clock.advance(50);
    expect(clock.pending()).toBe(0);
  });

  test('loses it at once when the program stops', async () => {
    connect();
    part([request()]);
    await clock.advance(150);
    expect(conntrack.print()).toContain('SYN_SENT');
    abort.abort();
    await ended;
    expect(conntrack.print()).toBe('');
  });

  test('that cannot be changed is no reason not to tell', async () => {
    connect();
    conntrack.failWith = ({ call }) => (call === 'dump' ? undefined : 'EPERM');
    part([request()]);
    await clock.advance(1_000);
    expect(events).toEqual(['50 cut', '150 told 1']);
  });
});
