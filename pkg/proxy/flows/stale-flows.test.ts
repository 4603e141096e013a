import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { plainFlow, translatedFlow } from '../../../test/contract/conntrack.ts';
import { ip } from '../../../test/support/addresses.ts';
import { serving } from '../../../test/support/objects.ts';
import { keptSettings } from '../../../test/support/settings.ts';
import { FakeConntrack } from '../../conntrack/fake.ts';
import { errnoOf } from '../../errno/errno.ts';
import { recordingLogger } from '../../log/memory.ts';
import { type ManualClock, manualClock } from '../../runner/manual-clock.ts';
import { FlowForgetter } from './stale-flows.ts';

const virtualServer = { address: ip('172.30.0.1'), protocol: 'UDP', port: 53 } as const;
const server6 = { ...virtualServer, address: ip('fd00:172:30::1') };

let clock: ManualClock;
let conntrack: FakeConntrack;
let forgetter: FlowForgetter;
let log: string[];
let abort: AbortController;
let ended: Promise<void>;

beforeEach(() => {
  clock = manualClock();
  conntrack = new FakeConntrack();
  log = [];
  forgetter = new FlowForgetter({
    log: recordingLogger(),
    conntrack,
    settings: keptSettings,
    clock,
    onReconciled: ({ family, deleted }) => log.push(`${clock.now()} ${family} -${deleted}`),
    onFailed: ({ family, error, isLast }) =>
      log.push(`${clock.now()} ${family} ${errnoOf(error)}${isLast ? ' given up' : ''}`),
  });
  abort = new AbortController();
  ended = forgetter.run(abort.signal);
});

afterEach(async () => {
  abort.abort();
  await ended;
  if (clock.pending() > 0) throw new Error('a timer is left');
});

function insert(...flows: readonly ReturnType<typeof plainFlow>[]): void {
  for (const flow of flows) conntrack.insert({ ...flow, status: 0 });
}

function endpoints(...addresses: readonly string[]) {
  return serving(addresses);
}

describe('requests', () => {
  test('are served at once after an idle spell', async () => {
    insert(plainFlow({ sourcePort: 1 }), translatedFlow('10.0.0.8', { sourcePort: 2 }));
    forgetter.forgetUntranslated([virtualServer]);
    expect(conntrack.calls.dump).toBe(0);
    await clock.advance(0);
    expect(log).toEqual(['0 IPv4 -1']);
    expect(conntrack.print()).toContain('sport=2');
    expect(conntrack.print()).not.toContain('sport=1 ');
  });

  test('that come within a second share the next dump', async () => {
    forgetter.forgetUntranslated([virtualServer]);
    await clock.advance(100);
    insert(plainFlow({ sourcePort: 1 }));
    insert(translatedFlow('10.0.0.8', { sourcePort: 2 }));
    forgetter.forgetUntranslated([virtualServer]);
    await clock.advance(400);
    forgetter.reconcileUdp([
      { addresses: [virtualServer.address], port: 53, endpoints: endpoints('10.0.0.9') },
    ]);
    await clock.advance(499);
    expect(log).toEqual(['0 IPv4 -0']);
    await clock.advance(1);
    expect(log).toEqual(['0 IPv4 -0', '1000 IPv4 -2']);
    await clock.advance(10_000);
    expect(conntrack.calls.dump).toBe(2);
  });

  test('of one family leave the other alone', async () => {
    insert(plainFlow({ isIPv6: true }), plainFlow());
    forgetter.forgetUntranslated([server6]);
    await clock.advance(5000);
    expect(log).toEqual(['0 IPv6 -1']);
    forgetter.forgetUntranslated([virtualServer, server6]);
    await clock.advance(5000);
    expect(log.sort()).toEqual(['0 IPv6 -1', '5000 IPv4 -1', '5000 IPv6 -0']);
  });

  test('for nothing dump nothing', async () => {
    forgetter.forgetUntranslated([]);
    forgetter.reconcileUdp([
      { addresses: [virtualServer.address], port: 53, endpoints: endpoints() },
    ]);
    await clock.advance(5000);
    expect(conntrack.calls.dump).toBe(0);
  });

  test('that were made before it runs are served when it does', async () => {
    const late = new FlowForgetter({
      log: recordingLogger(),
      conntrack,
      settings: keptSettings,
      clock,
      onReconciled: () => log.push('late'),
      onFailed: () => undefined,
    });
    late.forgetUntranslated([virtualServer]);
    const stop = new AbortController();
    const run = late.run(stop.signal);
    await clock.advance(0);
    expect(log).toEqual(['late']);
    stop.abort();
    await run;
  });

  test('ask the kernel for one protocol if no other is concerned', async () => {
    const filters: unknown[] = [];
    conntrack.failWith = (call) => {
      if (call.call === 'dump') filters.push(call.filter.protocol);
      return undefined;
    };
    forgetter.forgetUntranslated([{ ...virtualServer, protocol: 'SCTP' }]);
    await clock.advance(1000);
    forgetter.forgetUntranslated([virtualServer, { ...virtualServer, protocol: 'TCP' }]);
    await clock.advance(1000);
    expect(filters).toEqual(['SCTP', undefined]);
  });

  test('for thousands of flows delete them all', async () => {
    for (let sourcePort = 1; sourcePort <= 1000; sourcePort++) insert(plainFlow({ sourcePort }));
    forgetter.forgetUntranslated([virtualServer]);
    await clock.advance(0);
    expect(log).toEqual(['0 IPv4 -1000']);
    expect(conntrack.print()).toBe('');
  });

  test('spare an endpoint that came while the dump ran', async () => {
    insert(
      translatedFlow('10.0.0.8', { sourcePort: 1 }),
      translatedFlow('10.0.0.7', { sourcePort: 2 }),
    );
    conntrack.failWith = (call) => {
      const both = endpoints('10.0.0.9', '10.0.0.8');
      if (call.call === 'dump')
        forgetter.reconcileUdp([{ addresses: [virtualServer.address], port: 53, endpoints: both }]);
      conntrack.failWith = () => undefined;
      return undefined;
    };
    forgetter.reconcileUdp([
      { addresses: [virtualServer.address], port: 53, endpoints: endpoints('10.0.0.9') },
    ]);
    await clock.advance(5000);
    expect(log).toEqual(['0 IPv4 -1', '1000 IPv4 -0']);
    expect(conntrack.print()).toContain('src=10.0.0.8');
  });
});

describe('failures', () => {
  test('are told, and tried again with growing pauses, together with what came since', async () => {
    insert(plainFlow());
    conntrack.failWith = (call) => (call.call === 'dump' ? 'ENOMEM' : undefined);
    forgetter.forgetUntranslated([virtualServer]);
    await clock.advance(4999);
    expect(log).toEqual(['0 IPv4 ENOMEM', '2000 IPv4 ENOMEM']);
    conntrack.failWith = () => undefined;
    forgetter.reconcileUdp([
      { addresses: [virtualServer.address], port: 53, endpoints: endpoints('10.0.0.9') },
    ]);
    await clock.advance(1000);
    expect(log.slice(2)).toEqual([]);
    await clock.advance(1);
    expect(log.slice(2)).toEqual(['6000 IPv4 -1']);
  });

  test('of a delete are tried again as well', async () => {
    insert(plainFlow({ sourcePort: 1 }), plainFlow({ sourcePort: 2 }));
    conntrack.failWith = (call) =>
      call.call === 'delete' && call.flow.original.sourcePort === 1 ? 'EPERM' : undefined;
    forgetter.forgetUntranslated([virtualServer]);
    await clock.advance(0);
    conntrack.failWith = () => undefined;
    await clock.advance(5000);
    expect(log).toEqual(['0 IPv4 EPERM', '2000 IPv4 -1']);
  });

  test('are given up after five, and the next request starts anew', async () => {
    insert(plainFlow());
    conntrack.failWith = () => 'ENOMEM';
    forgetter.forgetUntranslated([virtualServer]);
    await clock.advance(600_000);
    expect(log).toEqual([
      '0 IPv4 ENOMEM',
      '2000 IPv4 ENOMEM',
      '6000 IPv4 ENOMEM',
      '14000 IPv4 ENOMEM',
      '30000 IPv4 ENOMEM given up',
    ]);
    conntrack.failWith = () => undefined;
    forgetter.forgetUntranslated([virtualServer]);
    await clock.advance(0);
    expect(log.slice(5)).toEqual(['600000 IPv4 -1']);
  });

  test('that go on are given up each time', async () => {
    conntrack.failWith = () => 'ENOMEM';
    for (let round = 0; round < 3; round++) {
      forgetter.forgetUntranslated([virtualServer]);
      await clock.advance(600_000);
    }
    expect(log).toHaveLength(15);
    expect(log.filter((line) => line.endsWith('given up'))).toHaveLength(3);
  });

  test('of one family do not hold up the other', async () => {
    conntrack.failWith = (call) =>
      call.call === 'dump' && call.filter.family === 'IPv4' ? 'ENOMEM' : undefined;
    forgetter.forgetUntranslated([virtualServer, server6]);
    await clock.advance(0);
    expect(log.sort()).toEqual(['0 IPv4 ENOMEM', '0 IPv6 -0']);
  });
});

test('it ends when the signal aborts, in the middle of a pause too', async () => {
  forgetter.forgetUntranslated([virtualServer]);
  await clock.advance(10);
  forgetter.forgetUntranslated([virtualServer]);
  await clock.advance(10);
  expect(clock.pending()).toBe(1);
  abort.abort();
  await ended;
  expect(conntrack.calls.dump).toBe(1);
});
