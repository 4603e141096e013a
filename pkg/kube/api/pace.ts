import { Backoff } from '../../runner/backoff.ts';
import { seconds } from '../../runner/clock.ts';
import { askedPause, isVersionError } from './error.ts';

/** The longest that the first pause after a failure can be; those that follow double, up to half a minute. */
const firstPause = seconds(0.4);
/** Over what time many nodes spread that are all told to read everything anew. */
const relistSpread = seconds(1);
/** What one expired version costs: a watch that says so, and a read that says so again. */
const relistsAtOnce = 2;

/** How long to wait after failures: longer with each, until something went well for a while. */
export class Pace {
  readonly #random: () => number;
  readonly #backoff: Backoff;
  #relistsLeft = relistsAtOnce;

  constructor(random: () => number) {
    this.#random = random;
    this.#backoff = new Backoff({ random, first: firstPause });
  }

  /** Milliseconds to wait after a failure. A version that the server does not have is no failure of the server. */
  pauseAfter(error: unknown): number {
    const asked = askedPause(error);
    if (!isVersionError(error) || this.#relistsLeft === 0) return this.#backoff.next(asked);
    this.#relistsLeft--;
    return Math.max(asked, this.#random() * relistSpread);
  }

  /** Starts anew after something went well for a while. */
  reset(): void {
    this.#backoff.reset();
    this.#relistsLeft = relistsAtOnce;
  }
}
