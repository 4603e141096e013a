import { expect, test } from 'vitest';
import { manualClock } from './manual-clock.ts';
import { Throttle } from './throttle.ts';

test('each key is allowed once within an interval', async () => {
  const clock = manualClock();
  const throttle = new Throttle(clock, { interval: 1_000 });
  expect(['one', 'one', 'two'].map((key) => throttle.allows(key))).toEqual([true, false, true]);
  await clock.advance(999);
  expect(throttle.allows('one')).toBe(false);
  await clock.advance(1);
  expect(['one', 'one'].map((key) => throttle.allows(key))).toEqual([true, false]);
});

test('of more than 1,000 keys the oldest are forgotten', async () => {
  const throttle = new Throttle(manualClock(), { interval: 1_000 });
  for (let key = 0; key <= 1_000; key++) throttle.allows(`${key}`);
  expect(['1', '0'].map((key) => throttle.allows(key))).toEqual([false, true]);
});
