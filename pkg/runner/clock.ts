/** A source of time, so that tests do not wait. */
export interface Clock {
  /** Milliseconds that never go back. Only differences have a meaning. */
  now(): number;
  /** Milliseconds since 1970, for people and for the API. */
  wallClock(): number;
  /** Calls back once after some milliseconds; the returned function cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** Seconds as milliseconds. */
export function seconds(count: number): number {
  return count * 1000;
}

/** Minutes as milliseconds. */
export function minutes(count: number): number {
  return count * 60_000;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallClock: () => Date.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, Math.max(0, milliseconds));
    return () => clearTimeout(timer);
  },
};

/** Resolves after some milliseconds, or at once when the signal aborts. Never throws. */
export async function sleep(
  clock: Clock,
  milliseconds: number,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted) return;
  await new Promise<void>((resolve) => {
    const cancel = clock.after(milliseconds, done);
    function done(): void {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
}
