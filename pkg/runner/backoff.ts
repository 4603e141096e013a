import { seconds } from './clock.ts';

/** How the pauses grow, in milliseconds. */
export interface BackoffOptions {
  /** The longest that the first pause can be. */
  readonly first?: number;
  /** The longest that any pause can be. */
  readonly last?: number;
  /** From 0 up to 1; Math.random but in tests. */
  readonly random?: () => number;
}

/**
 * How long to wait after a failure: a random time in the upper half of a span that doubles with each
 * failure up to a limit, so that many who failed together do not come back together.
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

  /** Milliseconds to wait after one more failure, and no fewer than somebody asks for. */
  next(atLeast = 0): number {
    const pause = (this.#span / 2) * (1 + this.#random());
    this.#span = Math.min(this.#last, this.#span * 2);
    return Math.max(pause, atLeast);
  }

  /** Starts anew after a success. */
  reset(): void {
    this.#span = this.#first;
  }
}
