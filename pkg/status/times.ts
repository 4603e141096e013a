import type { Clock } from '../runner/clock.ts';
import type { Time } from './report.ts';

/** Returns the text of a time of the clock that never goes back. */
export function timesBy(clock: Pick<Clock, 'now' | 'wallClock'>): (time: number) => Time {
  const offset = clock.wallClock() - clock.now();
  return (time) => new Date(offset + time).toISOString();
}
