import { type Clock, systemClock } from '../../../pkg/runner/clock.ts';

/** A clock that runs so many times as fast as the machine's, for tests that must wait for real sockets. */
export interface HurriedClock extends Clock {
  /** How many callbacks wait. */
  pending(): number;
}

/** A clock that runs `factor` times as fast as the machine's. */
export function hurriedClock(factor: number): HurriedClock {
  const waiting = new Set<() => void>();
  return {
    now: () => systemClock.now() * factor,
    wallClock: () => systemClock.wallClock(),
    after(milliseconds, callback) {
      const cancel = systemClock.after(milliseconds / factor, () => {
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
