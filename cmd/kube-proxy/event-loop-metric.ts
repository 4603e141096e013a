import type { Metrics } from '../../pkg/metrics/metrics.ts';
import type { Clock } from '../../pkg/runner/clock.ts';
import { EventLoopDelay } from '../../pkg/runner/event-loop-delay.ts';
import type { Part } from './run-all.ts';

/** Measures the delay of the event loop from the first scrape on, for as long as scrapes go on. */
export function measureEventLoop({
  clock,
  metrics,
}: {
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'eventLoopDelay' | 'onScrape'>;
}): Part {
  const series = metrics.eventLoopDelay.series({});
  const delay = new EventLoopDelay(clock, (milliseconds) => series.observe(milliseconds / 1000));
  metrics.onScrape(() => delay.wanted());
  return async (signal) => {
    signal.addEventListener('abort', () => delay.stop(), { once: true });
  };
}
