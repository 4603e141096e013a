import { seconds } from './clock.ts';

/** Limits of the pauses, in milliseconds. */
export interface BackoffOptions {
  /** The longest first pause. */
  readonly first?: number;
  /** The longest pause. */
  readonly last?: number;
  /** Returns a number from 0 up to 1; Math.random except in tests. */
  readonly random?: () => number;
}

/**
 * The pauses after failures: each is random in the upper half of a span that doubles up to a limit, so that clients that failed at the
 * same time do not retry at the same time.
 *
 *     failure       1        2      3        7 and later
 *     seconds   0.25–0.5   0.5–1   1–2   …   15–30
 */
export class Backoff {
  readonly #first: number;
  readonly #last: number;
  readonly #random: () => number;
  #span: number;

  constructor({
    first = seconds(0.5),
    last = seconds(30),
    random = Math.random,
  }: BackoffOptions = {}) {
    this.#first = Math.min(first, last);
    this.#last = last;
    this.#random = random;
    this.#span = this.#first;
  }

  /** The pause after one more failure, in milliseconds; `atLeast` is a lower bound. */
  next(atLeast = 0): number {
    const pause = (this.#span / 2) * (1 + this.#random());
    this.#span = Math.min(this.#last, this.#span * 2);
    return Math.max(pause, atLeast);
  }

  /** Starts again with the shortest pause, after a success. */
  reset(): void {
    this.#span = this.#first;
  }
}
