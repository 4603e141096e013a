import type { Clock } from './clock.ts';

/** How much a bucket lets through. */
export interface TokenBucketOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** How many at once. */
  readonly burst: number;
  /** In how many milliseconds one more. */
  readonly interval: number;
}

/** Lets through a burst, and then one more each interval; what was not used comes back with time. */
export class TokenBucket {
  readonly #options: TokenBucketOptions;
  /** When all tokens will be there again. */
  #fullAt = Number.NEGATIVE_INFINITY;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
  }

  /** Whether there is no token now. */
  get isEmpty(): boolean {
    return this.#delay() > 0;
  }

  /** Takes a token if there is one. */
  take(): boolean {
    if (this.isEmpty) return false;
    this.reserve();
    return true;
  }

  /** Takes the next token, which may be one that is not there yet, and gives how many milliseconds to wait for it. */
  reserve(): number {
    const { clock, interval } = this.#options;
    const delay = this.#delay();
    this.#fullAt = Math.max(this.#fullAt, clock.now()) + interval;
    return delay;
  }

  #delay(): number {
    const { clock, burst, interval } = this.#options;
    return Math.max(0, this.#fullAt - (burst - 1) * interval - clock.now());
  }
}
