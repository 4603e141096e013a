import { expect, test } from 'vitest';
import { manualClock } from './manual-clock.ts';
import { TokenBucket } from './token-bucket.ts';

test('a burst goes through, then one each interval, and rest brings back no more than a burst', async () => {
  const clock = manualClock();
  const bucket = new TokenBucket({ clock, burst: 3, interval: 100 });
  const taken = () => [1, 2, 3, 4, 5].filter(() => bucket.take()).length;
  expect(taken()).toBe(3);
  await clock.advance(99);
  expect(taken()).toBe(0);
  await clock.advance(1);
  expect(taken()).toBe(1);
  await clock.advance(10_000);
  expect(taken()).toBe(3);
});

test('what is reserved follows at the interval', () => {
  const bucket = new TokenBucket({ clock: manualClock(), burst: 2, interval: 100 });
  expect([1, 2, 3, 4].map(() => bucket.reserve())).toEqual([0, 0, 100, 200]);
  expect(bucket.take()).toBe(false);
});
