import { expect, test } from 'vitest';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { manualClock } from '../../pkg/runner/manual-clock.ts';
import { measureEventLoop } from './event-loop-metric.ts';

test('a scrape begins to measure the delay of the event loop, and the end of the program ends it', async () => {
  const clock = manualClock();
  const metrics = createMetrics();
  const stop = new AbortController();
  await measureEventLoop({ clock, metrics })(stop.signal);
  expect(clock.pending()).toBe(0);
  const count = async () =>
    /event_loop_delay_seconds_count (\d+)/.exec(await metrics.exposition.text())?.[1];
  expect(await count()).toBe('0');
  await clock.advance(1_000);
  expect(await count()).toBe('5');
  stop.abort();
  expect([clock.pending(), await count()]).toEqual([0, '5']);
});
