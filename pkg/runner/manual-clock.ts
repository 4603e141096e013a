import type { Clock } from './clock.ts';

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves time on and runs what is due, in order of its time; promises settle between two callbacks. */
  advance(milliseconds: number): Promise<void>;
  /** How many callbacks wait. */
  pending(): number;
}

/** A manual clock at 0; the wall clock starts at 2025-01-01. */
export function manualClock(): ManualClock {
  let now = 0;
  let sequence = 0;
  const waiting = new Map<number, { due: number; callback: () => void }>();
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  function nextDue(limit: number): [number, { due: number; callback: () => void }] | undefined {
    const due = [...waiting].filter(([, timer]) => timer.due <= limit);
    return due.sort(([a, one], [b, other]) => one.due - other.due || a - b)[0];
  }
  return {
    now: () => now,
    wallClock: () => Date.UTC(2025, 0, 1) + now,
    after(milliseconds, callback) {
      const id = sequence++;
      waiting.set(id, { due: now + Math.max(0, milliseconds), callback });
      return () => void waiting.delete(id);
    },
    async advance(milliseconds) {
      const end = now + milliseconds;
      await settle();
      for (let next = nextDue(end); next !== undefined; next = nextDue(end)) {
        const [id, timer] = next;
        waiting.delete(id);
        now = timer.due;
        timer.callback();
        await settle();
      }
      now = end;
    },
    pending: () => waiting.size,
  };
}
