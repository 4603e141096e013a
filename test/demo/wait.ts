/** After this nobody waits any more, in milliseconds; with a machine in mind that is emulated and busy. */
const limit = 120_000;

/**
 * Waits until a condition holds, looking every 50 milliseconds or as said: a look that starts processes takes the time of whoever
 * is waited for. Throws with `what` after two minutes.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  interval = 50,
): Promise<void> {
  const started = performance.now();
  while (!(await condition())) {
    if (performance.now() - started > limit)
      throw new Error(`not within ${limit / 1000} s: ${what}`);
    await pause(interval);
  }
}

/** Waits. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** The middle one of numbers; not a number if there are none. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** `3.1 ms` */
export function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}
