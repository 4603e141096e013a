import { type Clock, systemClock } from '../../../pkg/runner/clock.ts';

/** A clock that runs so many times as fast as the machine's, for tests that must wait for real sockets. */
export interface HurriedClock extends Clock {
  /** How many callbacks wait. */
  pending(): number;
}

/**
 * A clock that runs `factor` times as fast as the machine's. Callbacks that are at least `deadlinesFrom` milliseconds away come in
 * the machine's own time: a deadline for work that really takes time must not be hurried, or a busy machine misses it.
 */
export function hurriedClock(
  factor: number,
  { deadlinesFrom = Number.POSITIVE_INFINITY }: { deadlinesFrom?: number } = {},
): HurriedClock {
  const waiting = new Set<() => void>();
  return {
    now: () => systemClock.now() * factor,
    wallClock: () => systemClock.wallClock(),
    after(milliseconds, callback) {
      const isDeadline = milliseconds >= deadlinesFrom;
      const cancel = systemClock.after(isDeadline ? milliseconds : milliseconds / factor, () => {
        waiting.delete(cancel);
        callback();
      });
      waiting.add(cancel);
      return () => {
        waiting.delete(cancel);
        cancel();
      };
    },
    pending: () => waiting.size,
  };
}
