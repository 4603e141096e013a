import { Backoff } from '../../runner/backoff.ts';
import { seconds } from '../../runner/clock.ts';
import { askedPause, isVersionError } from './error.ts';

/** The longest first pause after a failure. The pauses double up to half a minute. */
const firstPause = seconds(0.4);
/** The time over which nodes spread that must all read everything again. */
const relistSpread = seconds(1);
/** An expired version costs two reads: the watch fails, and so does the read. */
const relistsAtOnce = 2;

/** The pauses after failures: longer with each, until a success. */
export class Pace {
  readonly #random: () => number;
  readonly #backoff: Backoff;
  #relistsLeft = relistsAtOnce;

  constructor(random: () => number) {
    this.#random = random;
    this.#backoff = new Backoff({ random, first: firstPause });
  }

  /** The pause after a failure, in milliseconds. A version that the server does not have does not count as its failure. */
  pauseAfter(error: unknown): number {
    const asked = askedPause(error);
    if (!isVersionError(error) || this.#relistsLeft === 0) return this.#backoff.next(asked);
    this.#relistsLeft--;
    return Math.max(asked, this.#random() * relistSpread);
  }

  /** Starts again with the shortest pause. */
  reset(): void {
    this.#backoff.reset();
    this.#relistsLeft = relistsAtOnce;
  }
}
