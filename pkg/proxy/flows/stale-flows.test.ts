import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { plainFlow, translatedFlow } from '../../../test/contract/conntrack.ts';
import { ip } from '../../../test/support/addresses.ts';
import { serving } from '../../../test/support/objects.ts';
import { FakeConntrack } from '../../conntrack/fake.ts';
import { errnoOf } from '../../errno/errno.ts';
import { recordingLogger } from '../../log/memory.ts';
import { type ManualClock, manualClock } from '../../runner/manual-clock.ts';
import { FlowReader } from './flow-reader.ts';
import { StaleFlows } from './stale-flows.ts';

const virtualServer = { address: ip('172.30.0.1'), protocol: 'UDP', port: 53 } as const;
const server6 = { ...virtualServer, address: ip('fd00:172:30::1') };

let clock: ManualClock;
let conntrack: FakeConntrack;
let stale: StaleFlows;
let reader: FlowReader;
/** The addresses of real servers that the kernel still has. */
let held: Set<string>;
let log: string[];
let abort: AbortController;
let ended: Promise<unknown>;

beforeEach(() => {
  clock = manualClock();
  conntrack = new FakeConntrack();
  held = new Set();
  log = [];
  reader = new FlowReader({ conntrack, clock, log: recordingLogger() });
  stale = new StaleFlows({
    conntrack,
    reader,
    clock,
    isHeld: ({ realServer }) => held.has(realServer.address),
    onReconciled: ({ family, deleted }) => log.push(`${clock.now()} ${family} -${deleted}`),
    onFailed: ({ family, error, isLast }) =>
      log.push(`${clock.now()} ${family} ${errnoOf(error)}${isLast ? ' given up' : ''}`),
  });
  abort = new AbortController();
  ended = Promise.all([reader.run(abort.signal), stale.run(abort.signal)]);
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
    stale.deleteUntranslated([virtualServer]);
    expect(conntrack.calls.dump).toBe(0);
    await clock.advance(0);
    expect(log).toEqual(['0 IPv4 -1']);
    expect(conntrack.print()).toContain('sport=2');
    expect(conntrack.print()).not.toContain('sport=1 ');
  });

  test('that come while the next dump waits share it', async () => {
    stale.deleteUntranslated([virtualServer]);
    await clock.advance(100);
    insert(plainFlow({ sourcePort: 1 }));
    insert(translatedFlow('10.0.0.8', { sourcePort: 2 }));
    stale.deleteUntranslated([virtualServer]);
    await clock.advance(100);
    stale.reconcileUdp([
      { addresses: [virtualServer.address], port: 53, endpoints: endpoints('10.0.0.9') },
    ]);
    await clock.advance(49);
    expect(log).toEqual(['0 IPv4 -0']);
    await clock.advance(1);
    expect(log).toEqual(['0 IPv4 -0', '250 IPv4 -2']);
    await clock.advance(10_000);
    expect(conntrack.calls.dump).toBe(2);
  });

  test('of one family leave the other alone', async () => {
    insert(plainFlow({ isIPv6: true }), plainFlow());
    stale.deleteUntranslated([server6]);
    await clock.advance(5000);
    expect(log).toEqual(['0 IPv6 -1']);
    stale.deleteUntranslated([virtualServer, server6]);
    await clock.advance(5000);
    expect(log.sort()).toEqual(['0 IPv6 -1', '5000 IPv4 -1', '5000 IPv6 -0']);
  });

  test('for nothing dump nothing', async () => {
    stale.deleteUntranslated([]);
    stale.reconcileUdp([{ addresses: [], port: 53, endpoints: endpoints() }]);
    await clock.advance(5000);
    expect(conntrack.calls.dump).toBe(0);
  });

  test('for a UDP front end that nobody serves delete all of its flows', async () => {
    insert(translatedFlow('10.0.0.8', { sourcePort: 1 }), plainFlow({ sourcePort: 2 }));
    const frontEnd = { addresses: [virtualServer.address], port: 53, endpoints: endpoints() };
    stale.reconcileUdp([frontEnd]);
    await clock.advance(0);
    expect([log, conntrack.print()]).toEqual([['0 IPv4 -2'], '']);
  });

  test('that were made before it runs are served when it does', async () => {
    const late = new StaleFlows({
      conntrack,
      reader,
      clock,
      isHeld: () => false,
      onReconciled: () => log.push('late'),
      onFailed: () => undefined,
    });
    late.deleteUntranslated([virtualServer]);
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
    stale.deleteUntranslated([{ ...virtualServer, protocol: 'SCTP' }]);
    await clock.advance(1000);
    stale.deleteUntranslated([virtualServer, { ...virtualServer, protocol: 'TCP' }]);
    await clock.advance(1000);
    expect(filters).toEqual(['SCTP', undefined]);
  });

  test('for thousands of flows delete them all', async () => {
    for (let sourcePort = 1; sourcePort <= 1000; sourcePort++) insert(plainFlow({ sourcePort }));
    stale.deleteUntranslated([virtualServer]);
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
        stale.reconcileUdp([{ addresses: [virtualServer.address], port: 53, endpoints: both }]);
      conntrack.failWith = () => undefined;
      return undefined;
    };
    stale.reconcileUdp([
      { addresses: [virtualServer.address], port: 53, endpoints: endpoints('10.0.0.9') },
    ]);
    await clock.advance(5000);
    expect(log).toEqual(['0 IPv4 -1', '250 IPv4 -0']);
    expect(conntrack.print()).toContain('src=10.0.0.8');
  });
});

describe('flows of a real server that the kernel still has', () => {
  const leave = (...addresses: readonly string[]) =>
    stale.reconcileUdp([
      { addresses: [virtualServer.address], port: 53, endpoints: endpoints(...addresses) },
    ]);

  beforeEach(() => {
    held.add('10.0.0.8');
    insert(translatedFlow('10.0.0.8', { sourcePort: 1 }));
  });

  test('are looked for again until it has gone, every 3 s', async () => {
    insert(translatedFlow('10.0.0.7', { sourcePort: 2 }));
    leave('10.0.0.9');
    await clock.advance(4000);
    held.clear();
    await clock.advance(10_000);
    expect(log).toEqual(['0 IPv4 -1', '3000 IPv4 -0', '6000 IPv4 -1']);
  });

  test('are deleted after a minute whatever the kernel has', async () => {
    leave('10.0.0.9');
    await clock.advance(120_000);
    expect(log.slice(-2)).toEqual(['57000 IPv4 -0', '60000 IPv4 -1']);
  });

  test('follow the latest word, and wait from then', async () => {
    leave('10.0.0.9');
    await clock.advance(1000);
    leave('10.0.0.8');
    await clock.advance(9000);
    expect(log).toEqual(['0 IPv4 -0', '1000 IPv4 -0']);
    expect(conntrack.print()).toContain('sport=1');
    leave('10.0.0.9');
    await clock.advance(120_000);
    expect(log.at(-1)).toBe('70000 IPv4 -1');
  });
});

describe('failures', () => {
  test('are reported, and tried again with growing pauses, together with what came since', async () => {
    insert(plainFlow());
    conntrack.failWith = (call) => (call.call === 'dump' ? 'ENOMEM' : undefined);
    stale.deleteUntranslated([virtualServer]);
    await clock.advance(2999);
    expect(log).toEqual(['0 IPv4 ENOMEM', '1000 IPv4 ENOMEM']);
    conntrack.failWith = () => undefined;
    stale.reconcileUdp([
      { addresses: [virtualServer.address], port: 53, endpoints: endpoints('10.0.0.9') },
    ]);
    expect(log.slice(2)).toEqual([]);
    await clock.advance(1);
    expect(log.slice(2)).toEqual(['3000 IPv4 -1']);
  });

  test('of a delete are tried again as well', async () => {
    insert(plainFlow({ sourcePort: 1 }), plainFlow({ sourcePort: 2 }));
    conntrack.failWith = (call) =>
      call.call === 'delete' && call.flow.original.sourcePort === 1 ? 'EPERM' : undefined;
    stale.deleteUntranslated([virtualServer]);
    await clock.advance(0);
    conntrack.failWith = () => undefined;
    await clock.advance(5000);
    expect(log).toEqual(['0 IPv4 EPERM', '1000 IPv4 -1']);
  });

  test('are given up after five, and the next request starts anew', async () => {
    insert(plainFlow());
    conntrack.failWith = () => 'ENOMEM';
    stale.deleteUntranslated([virtualServer]);
    await clock.advance(600_000);
    expect(log).toEqual([
      '0 IPv4 ENOMEM',
      '1000 IPv4 ENOMEM',
      '3000 IPv4 ENOMEM',
      '7000 IPv4 ENOMEM',
      '15000 IPv4 ENOMEM given up',
    ]);
    conntrack.failWith = () => undefined;
    stale.deleteUntranslated([virtualServer]);
    await clock.advance(0);
    expect(log.slice(5)).toEqual(['600000 IPv4 -1']);
  });

  test('that go on are given up each time', async () => {
    conntrack.failWith = () => 'ENOMEM';
    for (let round = 0; round < 3; round++) {
      stale.deleteUntranslated([virtualServer]);
      await clock.advance(600_000);
    }
    expect(log).toHaveLength(15);
    expect(log.filter((line) => line.endsWith('given up'))).toHaveLength(3);
  });

  test('of one family do not hold up the other', async () => {
    conntrack.failWith = (call) =>
      call.call === 'dump' && call.filter.family === 'IPv4' ? 'ENOMEM' : undefined;
    stale.deleteUntranslated([virtualServer, server6]);
    await clock.advance(0);
    expect(log.sort()).toEqual(['0 IPv4 ENOMEM', '0 IPv6 -0']);
  });
});

test('it ends when the signal aborts, in the middle of a pause too', async () => {
  stale.deleteUntranslated([virtualServer]);
  await clock.advance(10);
  stale.deleteUntranslated([virtualServer]);
  await clock.advance(10);
  // The other family's reader waits as well.
  expect(clock.pending()).toBe(2);
  abort.abort();
  await ended;
  expect(conntrack.calls.dump).toBe(1);
});
