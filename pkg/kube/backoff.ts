import { seconds } from '../runner/clock.ts';

/** The longest time that a server can make us wait with `Retry-After`. */
const longestRetryAfter = seconds(300);

/**
 * How long to wait after a failure: a random time in the upper half of a span that doubles with each failure,
 * so that a thousand nodes that lost the same server do not come back in one moment.
 *
 *     failure      1          2          3              8 and later
 *     seconds  0.2–0.4    0.4–0.8    0.8–1.6     …       15–30
 */
export class Backoff {
  readonly #random: () => number;
  readonly #first: number;
  readonly #last: number;
  #span: number;

  constructor(
    random: () => number,
    { first = seconds(0.4), last = seconds(30) }: { first?: number; last?: number } = {},
  ) {
    this.#random = random;
    this.#first = first;
    this.#last = last;
    this.#span = first;
  }

  /** Milliseconds to wait after one more failure, at least as long as the server asks for. */
  next(retryAfter = 0): number {
    const delay = (this.#span / 2) * (1 + this.#random());
    this.#span = Math.min(this.#last, this.#span * 2);
    return Math.max(delay, Math.min(retryAfter, longestRetryAfter));
  }

  /** Starts anew after a success. */
  reset(): void {
    this.#span = this.#first;
  }
}
