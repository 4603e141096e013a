import type { Clock } from './clock.ts';

/** Keys beyond this many are forgotten, the oldest first: whoever makes up new ones is not worth more memory. */
const longest = 1_000;

/** Lets the same thing happen at most once within an interval, such as a line of the log. */
export class Throttle {
  readonly #clock: Clock;
  readonly #interval: number;
  /** When each was last allowed, the longest ago first. */
  readonly #allowed = new Map<string, number>();

  /** The interval is in milliseconds. */
  constructor(clock: Clock, { interval }: { interval: number }) {
    this.#clock = clock;
    this.#interval = interval;
  }

  /** Whether what the key names may happen now; if so, not again within the interval. */
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
