import type { Clock } from './clock.ts';

/** How many keys are kept. Beyond it the oldest are dropped, so that made-up keys do not fill the memory. */
const longest = 1_000;

/** Allows the same event at most once in an interval, such as a log line. */
export class Throttle {
  readonly #clock: Clock;
  readonly #interval: number;
  /** When each key was last allowed, oldest first. */
  readonly #allowed = new Map<string, number>();

  /** `interval` is in milliseconds. */
  constructor(clock: Clock, { interval }: { interval: number }) {
    this.#clock = clock;
    this.#interval = interval;
  }

  /** Whether the event may happen now. If so, not again within the interval. */
  allows(key: string): boolean {
    const now = this.#clock.now();
    const last = this.#allowed.get(key);
    if (last !== undefined && now - last < this.#interval) return false;
    this.#allowed.delete(key);
    this.#allowed.set(key, now);
    const [oldest] = this.#allowed.keys();
    if (this.#allowed.size > longest && oldest !== undefined) this.#allowed.delete(oldest);
    return true;
  }
}
