import { beforeEach, expect, test } from 'vitest';
import { minutes, seconds } from '../runner/clock.ts';
import { type ManualClock, manualClock } from '../runner/manual-clock.ts';
import { loggerTo, type RootLogger } from './log.ts';
import { RateLimit } from './rate-limit.ts';
import type { LogRecord } from './record.ts';

let clock: ManualClock;
let limit: RateLimit;
let log: RootLogger;
let records: LogRecord[];

beforeEach(() => {
  clock = manualClock();
  records = [];
  limit = new RateLimit((record) => records.push(record), clock);
  log = loggerTo((record) => limit.write(record), { verbosity: 10 });
});

const reported = () => records.splice(0).map(({ message, fields }) => ({ message, ...fields }));
const leftOut = 'left out log lines like one of a minute ago';

test('the same line comes once a minute, and how often it was left out is reported', async () => {
  for (let second = 0; second < 130; second++) {
    log.error('operation failed', new Error('ENOENT'), { operation: '+vs' });
    await clock.advance(seconds(1));
  }
  const example = '"operation failed" err="ENOENT" operation="+vs"';
  expect(reported()).toEqual([
    { message: 'operation failed', operation: '+vs' },
    { message: 'operation failed', operation: '+vs' },
    { message: leftOut, count: 59, example },
    { message: 'operation failed', operation: '+vs' },
    { message: leftOut, count: 59, example },
  ]);
  expect(limit.leftOut).toBe(59 + 59 + 9);
});

test.each([
  ['another object', () => log.error('operation failed', new Error('x'), { object: 'b' })],
  ['another cause', () => log.error('operation failed', new Error('y'), { object: 'a' })],
  ['another severity', () => log.warn('operation failed', { err: 'x', object: 'a' })],
])('a line with %s is another one', (_name, other) => {
  log.error('operation failed', new Error('x'), { object: 'a' });
  other();
  expect(reported()).toHaveLength(2);
});

test('of one message a burst comes, then ten a minute, and no other message suffers', async () => {
  let object = 0;
  const flood = () => {
    for (let count = 0; count < 10_000; count++)
      log.error('invalid', undefined, { object: object++ });
  };
  flood();
  expect(reported()).toHaveLength(50);
  for (let second = 0; second < 60; second++) {
    await clock.advance(seconds(1));
    flood();
  }
  expect(reported().filter(({ message }) => message === 'invalid')).toHaveLength(10);
  log.error('something else');
  expect(reported()).toEqual([{ message: 'something else' }]);
  await clock.advance(minutes(10));
  records.length = 0;
  flood();
  expect(reported()).toHaveLength(50);
});

test('messages that are all different share one burst once there are too many', async () => {
  for (let count = 0; count < 100_000; count++) log.error(`from outside: ${count}`);
  expect(reported()).toHaveLength(256 + 50);
  await clock.advance(minutes(1));
  expect(reported()).toEqual([
    { message: leftOut, count: expect.any(Number), example: expect.any(String) },
  ]);
  await clock.advance(minutes(30));
  log.error('ours');
  for (let count = 0; count < 60; count++) log.error('other', undefined, { count });
  expect(reported()).toHaveLength(51);
});

test('messages that are long share one burst', () => {
  for (let count = 0; count < 1000; count++) log.error(`${'x'.repeat(1000)} ${count}`);
  expect(reported()).toHaveLength(50);
});

test('not everything that was left out is reported at once', async () => {
  for (let message = 0; message < 100; message++) {
    for (let count = 0; count < 2; count++) log.error(`message ${message}`);
  }
  records.length = 0;
  for (const expected of [20, 20, 20, 20, 20, 0]) {
    await clock.advance(minutes(1));
    expect(reported()).toHaveLength(expected);
  }
  expect(clock.pending()).toBe(0);
});

test.each([
  [0, 50],
  [1, 300],
  [2, 300],
  [4, 1000],
  [9, 1000],
])('of 1,000 lines at level %i come %i', (level, expected) => {
  for (let count = 0; count < 1000; count++) log.v(level)?.info('drain ended', { count });
  expect(reported()).toHaveLength(expected);
});

test('a sink that throws ends nothing when it is told what was left out', async () => {
  let isBroken = false;
  limit = new RateLimit((record) => {
    if (isBroken) throw new Error('no space left');
    records.push(record);
  }, clock);
  const record = { severity: 'error', time: 0, level: 0, message: 'a', fields: {} } as const;
  for (let count = 0; count < 2; count++) limit.write(record);
  isBroken = true;
  await clock.advance(minutes(1));
  isBroken = false;
  for (let count = 0; count < 2; count++) limit.write(record);
  await clock.advance(minutes(1));
  expect(reported()).toHaveLength(3);
});
