import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { plainFlow, translatedFlow } from '../../../test/contract/conntrack.ts';
import type { FlowKind } from '../../conntrack/conntrack.ts';
import { FakeConntrack } from '../../conntrack/fake.ts';
import { errnoOf } from '../../errno/errno.ts';
import { recordingLogger } from '../../log/memory.ts';
import { type ManualClock, manualClock } from '../../runner/manual-clock.ts';
import { FlowReader } from './flow-reader.ts';

const udp = { family: 'IPv4', protocol: 'UDP' } as const;
const tcp = { family: 'IPv4', protocol: 'TCP' } as const;

let clock: ManualClock;
let conntrack: FakeConntrack;
let reader: FlowReader;
/** When which dump was made: `250 UDP`, `0 all`. */
let dumps: string[];
let abort: AbortController;
let ended: Promise<void>;

beforeEach(() => {
  clock = manualClock();
  conntrack = new FakeConntrack();
  dumps = [];
  conntrack.failWith = (call) => {
    if (call.call === 'dump') dumps.push(`${clock.now()} ${call.filter.protocol ?? 'all'}`);
    return undefined;
  };
  reader = new FlowReader({ conntrack, clock, log: recordingLogger() });
  abort = new AbortController();
  ended = reader.run(abort.signal);
});

afterEach(async () => {
  abort.abort();
  await ended;
  expect(clock.pending()).toBe(0);
});

/** Reads and keeps what comes of it: the source ports of the flows, or why it failed. */
function read(filter: FlowKind): number[] & { failure?: string } {
  const seen: number[] & { failure?: string } = [];
  reader
    .read(filter, () => (flow) => void seen.push(flow.original.sourcePort))
    .catch((error: unknown) => {
      seen.failure = errnoOf(error) ?? String(error);
    });
  return seen;
}

describe('however often somebody asks', () => {
  /** Asks every 10 ms for two seconds. */
  async function ask(...filters: readonly FlowKind[]): Promise<void> {
    for (let time = 0; time < 1_990; time += 10) {
      for (const filter of filters) read(filter);
      await clock.advance(10);
    }
  }

  test('four dumps of UDP flows begin in a second', async () => {
    await ask(udp);
    const expected = [0, 250, 500, 750, 1000, 1250, 1500, 1750].map((time) => `${time} UDP`);
    expect(dumps).toEqual(expected);
  });

  test('one dump of other flows begins in a second', async () => {
    await ask(tcp);
    expect(dumps).toEqual(['0 TCP', '1000 TCP']);
  });

  test('one dump of UDP flows begins in a second where the kernel does not leave out the others', async () => {
    conntrack.isFiltering = false;
    await ask(udp);
    expect(dumps).toEqual(['0 UDP', '1000 UDP']);
  });

  test('four dumps in all begin in a second, one of them for all', async () => {
    await ask(udp, tcp);
    expect(dumps.slice(0, 4)).toEqual(['0 all', '250 UDP', '500 UDP', '750 UDP']);
    expect(dumps).toHaveLength(8);
    expect(dumps.filter((dump) => dump.endsWith('all'))).toHaveLength(2);
  });

  test('each family has dumps of its own', async () => {
    await ask(tcp, { ...tcp, family: 'IPv6' });
    expect(dumps).toEqual(['0 TCP', '0 TCP', '1000 TCP', '1000 TCP']);
  });

  test('nothing is read when nobody asks', async () => {
    await clock.advance(10_000);
    expect(dumps).toEqual([]);
  });
});

test('whoever waits sees the flows of one protocol, in a dump that begins after he asked', async () => {
  conntrack.insert({ ...plainFlow({ sourcePort: 1 }), status: 0 });
  const stream = { protocol: 'TCP', tcpState: 'ESTABLISHED' } as const;
  conntrack.insert({ ...translatedFlow('10.0.0.8', { sourcePort: 2, ...stream }), status: 0 });
  const first = read(udp);
  const second = read(tcp);
  await clock.advance(0);
  expect([first, second]).toEqual([[1], [2]]);
  const third = read(udp);
  conntrack.insert({ ...plainFlow({ sourcePort: 3 }), status: 0 });
  await clock.advance(250);
  expect(third).toEqual([1, 3]);
});

test('what is expected soon is waited for', async () => {
  void reader.read(tcp, () => () => undefined, { gathering: 50 });
  await clock.advance(30);
  void reader.read(tcp, () => () => undefined, { gathering: 50 });
  await clock.advance(1_000);
  expect(dumps).toEqual(['50 TCP']);
});

test('a dump at once serves those who wait, and the next one keeps its distance', async () => {
  expect(reader.isDue(tcp)).toBe(true);
  void reader.read(tcp, () => () => undefined, { gathering: 50 });
  await reader.readNow(tcp, () => () => undefined);
  expect([dumps, reader.isDue(tcp), reader.isDue(udp)]).toEqual([['0 TCP'], false, false]);
  await clock.advance(250);
  expect([reader.isDue(tcp), reader.isDue(udp)]).toEqual([false, true]);
  read(tcp);
  await clock.advance(5_000);
  expect(dumps).toEqual(['0 TCP', '1000 TCP']);
});

test('a dump that fails is told to all whom it should have served, and to no others', async () => {
  conntrack.failWith = ({ call }) => (call === 'dump' ? 'ENOBUFS' : undefined);
  const first = read(udp);
  const second = read(udp);
  await clock.advance(0);
  conntrack.failWith = () => undefined;
  const third = read(udp);
  await clock.advance(250);
  expect([first, second, third].map(({ failure }) => failure)).toEqual([
    'ENOBUFS',
    'ENOBUFS',
    undefined,
  ]);
});

test('those who wait when the program stops are told so', async () => {
  read(tcp);
  await clock.advance(0);
  const waiting = read(tcp);
  abort.abort();
  await ended;
  await clock.advance(0);
  expect(waiting.failure).toContain('conntrack is no longer read');
});
