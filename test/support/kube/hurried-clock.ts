import { type Clock, systemClock } from '../../../pkg/runner/clock.ts';

/** A clock that runs so many times as fast as the machine's, for tests that must wait for real sockets. */
export interface HurriedClock extends Clock {
  /** How many callbacks wait. */
  pending(): number;
}

/** Which callbacks of a hurried clock come in the machine's own time, in milliseconds: all that are as far away. */
export interface Unhurried {
  readonly from: number;
  readonly below: number;
}

/**
 * A clock that runs `factor` times as fast as the machine's. A deadline for work that really takes time is better not hurried, as a
 * busy machine would miss it.
 */
export function hurriedClock(
  factor: number,
  { from, below }: Unhurried = { from: 0, below: 0 },
): HurriedClock {
  const waiting = new Set<() => void>();
  return {
    now: () => systemClock.now() * factor,
    wallClock: () => systemClock.wallClock(),
    after(milliseconds, callback) {
      const isUnhurried = milliseconds >= from && milliseconds < below;
      const cancel = systemClock.after(isUnhurried ? milliseconds : milliseconds / factor, () => {
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
