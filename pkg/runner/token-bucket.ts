import type { Clock } from './clock.ts';

/** The limits of a bucket. */
export interface TokenBucketOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** How many tokens it holds. */
  readonly burst: number;
  /** How long one token takes to come back, in milliseconds. */
  readonly interval: number;
}

/** A token bucket: allows a burst, then one event each interval. Unused tokens come back with time. */
export class TokenBucket {
  readonly #options: TokenBucketOptions;
  /** When the bucket is full again. */
  #fullAt = Number.NEGATIVE_INFINITY;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
  }

  /** Whether there is no token now. */
  get isEmpty(): boolean {
    return this.#delay() > 0;
  }

  /** Takes a token. False if there is none. */
  take(): boolean {
    if (this.isEmpty) return false;
    this.reserve();
    return true;
  }

  /** Takes a token, possibly one that is not there yet. Returns how many milliseconds to wait for it. */
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
