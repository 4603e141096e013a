import type { Clock } from './clock.ts';

/** A clock that only a test moves. */
export interface ManualClock extends Clock {
  /**
   * Moves time on and runs the due callbacks in order. Before the first callback and after each one, it lets the event loop turn
   * until nothing asks for another turn. Throws if that does not end.
   */
  advance(milliseconds: number): Promise<void>;
  /** How many callbacks wait. */
  pending(): number;
}

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

/** A manual clock at 0; the wall clock starts at 2025-01-01. */
export function manualClock(): ManualClock {
  let now = 0;
  let sequence = 0;
  /** In the order of the calls. */
  const waiting = new Map<number, Timer>();
  function nextDue(limit: number): [number, Timer] | undefined {
    let next: [number, Timer] | undefined;
    for (const entry of waiting) {
      const { due } = entry[1];
      if (due <= limit && (next === undefined || due < next[1].due)) next = entry;
    }
    return next;
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
      await untilIdle();
      for (let next = nextDue(end); next !== undefined; next = nextDue(end)) {
        const [id, timer] = next;
        waiting.delete(id);
        now = timer.due;
        timer.callback();
        await untilIdle();
      }
      now = end;
    },
    pending: () => waiting.size,
  };
}

/** More turns than any test needs. */
const mostTurns = 100_000;

/** Turns of the event loop that {@link untilIdle} asked for itself. */
let ownTurns = 0;

/** Lets the event loop turn until nobody asks for another turn. */
async function untilIdle(): Promise<void> {
  for (let turn = 0; turn < mostTurns; turn++) {
    await new Promise<void>((resolve) => {
      ownTurns++;
      setImmediate(() => {
        ownTurns--;
        resolve();
      });
    });
    if (pendingTurns() <= ownTurns) return;
  }
  throw new Error('work that waits for no time does not come to an end');
}

/** How many turns of the event loop are asked for. */
function pendingTurns(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Immediate').length;
}
