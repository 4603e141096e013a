import { expect, test } from 'vitest';
import { minutes } from './clock.ts';
import { EventLoopDelay } from './event-loop-delay.ts';
import { type ManualClock, manualClock } from './manual-clock.ts';

function measuring(clock: ManualClock): { delay: EventLoopDelay; delays: number[] } {
  const delays: number[] = [];
  return { delays, delay: new EventLoopDelay(clock, (milliseconds) => delays.push(milliseconds)) };
}

test('while nobody asks there is no timer', async () => {
  const clock = manualClock();
  const { delay, delays } = measuring(clock);
  await clock.advance(minutes(10));
  expect([clock.pending(), delays]).toEqual([0, []]);
  delay.stop();
});

test('from a scrape on it looks five times a second, for three minutes, with one timer however many scrape', async () => {
  const clock = manualClock();
  const { delay, delays } = measuring(clock);
  delay.wanted();
  delay.wanted();
  expect(clock.pending()).toBe(1);
  await clock.advance(1_000);
  expect(delays).toEqual(Array.from({ length: 5 }, () => 0));
  await clock.advance(minutes(2));
  delay.wanted();
  await clock.advance(minutes(2));
  expect(clock.pending()).toBe(1);
  await clock.advance(minutes(2));
  expect(clock.pending()).toBe(0);
  delay.wanted();
  expect(clock.pending()).toBe(1);
});

test('it reports how late a timer came', async () => {
  const clock = manualClock();
  let held = 0;
  const { delay, delays } = measuring({ ...clock, now: () => clock.now() + held });
  delay.wanted();
  held = 70; // the loop is busy beyond the time that the timer was due at
  await clock.advance(200);
  await clock.advance(200);
  expect(delays).toEqual([70, 0]);
});

test('once stopped it measures no more', async () => {
  const clock = manualClock();
  const { delay, delays } = measuring(clock);
  delay.wanted();
  delay.stop();
  delay.wanted();
  await clock.advance(1_000);
  expect([clock.pending(), delays]).toEqual([0, []]);
});
