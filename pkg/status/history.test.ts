import { expect, test } from 'vitest';
import { minutes, seconds } from '../runner/clock.ts';
import { manualClock } from '../runner/manual-clock.ts';
import { History } from './history.ts';

const sync = {
  kind: 'changes',
  families: ['IPv4'],
  milliseconds: 2.345,
  isSuccess: true,
  triggers: [],
} as const;

test('of a minute there are sums, and the first of its repairs', async () => {
  const clock = manualClock();
  const history = new History(clock);
  history.synced(sync);
  history.synced({ ...sync, kind: 'audit', milliseconds: 10, isSuccess: false });
  for (let index = 0; index < 7; index++) history.repaired('addRealServer', `+rs ${index}`);
  history.repaired('bindAddress', 'x'.repeat(1_000));
  expect(history.minutes).toEqual([
    {
      time: new Date(clock.wallClock()).toISOString(),
      syncs: 2,
      failedSyncs: 1,
      milliseconds: 12.35,
      longest: 10,
      repairs: { addRealServer: 7, bindAddress: 1 },
      examples: ['+rs 0', '+rs 1', '+rs 2', '+rs 3', '+rs 4'],
    },
  ]);
  await clock.advance(minutes(1));
  history.repaired('bindAddress', 'x'.repeat(1_000));
  expect(history.minutes.map(({ examples }) => examples.at(-1)?.length)).toEqual([5, 300]);
});

test('the last fifty syncs are remembered, the youngest first', async () => {
  const clock = manualClock();
  const history = new History(clock);
  for (let index = 0; index < 60; index++) {
    await clock.advance(seconds(1));
    history.synced({ ...sync, milliseconds: index });
  }
  expect(history.syncs).toHaveLength(50);
  expect(history.syncs[0]).toEqual({
    time: new Date(clock.wallClock()).toISOString(),
    kind: 'changes',
    milliseconds: 59,
    isSuccess: true,
  });
  expect(history.syncs.at(-1)?.milliseconds).toBe(10);
});

test('a sync without anything to do is not remembered, unless it fails', () => {
  const history = new History(manualClock());
  history.synced({ ...sync, families: [] });
  expect([history.syncs, history.minutes]).toEqual([[], []]);
  history.synced({ ...sync, families: [], isSuccess: false });
  expect(history.syncs).toHaveLength(1);
});

test('an hour is remembered, however much happens', async () => {
  const clock = manualClock();
  const history = new History(clock);
  for (let index = 0; index < 100; index++) {
    history.synced(sync);
    await clock.advance(minutes(1));
  }
  expect(history.minutes).toHaveLength(59);
  await clock.advance(minutes(30));
  expect(history.minutes).toHaveLength(29);
  await clock.advance(minutes(30));
  expect(history.minutes).toEqual([]);
});

test('a clock that is set back begins anew, and one that is set back a little goes on', () => {
  let time = minutes(100);
  const history = new History({ wallClock: () => time });
  history.synced(sync);
  time = minutes(99.5);
  history.synced(sync);
  expect(history.minutes.map(({ syncs }) => syncs)).toEqual([2]);
  time = minutes(10);
  history.synced(sync);
  expect(history.minutes.map(({ time: begin, syncs }) => [begin, syncs])).toEqual([
    ['1970-01-01T00:10:00.000Z', 1],
  ]);
});
