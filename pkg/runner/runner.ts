import { Backoff } from './backoff.ts';
import type { Clock } from './clock.ts';

/** What a {@link Runner} runs, and how often. Times are milliseconds. */
export interface RunnerOptions {
  readonly clock: Clock;
  readonly log: { error(message: string, error: unknown): void };
  /** How long two runs keep apart, from the end of one to the start of the next. */
  readonly minInterval: number;
  /** After how long without a run there is one unasked; none by default. */
  readonly maxInterval?: number;
  /** How soon there is another run after one that threw. */
  readonly backoff?: Backoff;
  readonly run: () => Promise<void>;
}

/** A timer of Node's ends at once if it is set to more. */
const longestTimer = 2 ** 31 - 1;

/**
 * Runs one function whenever it is asked to, never twice at once and not too often.
 *
 *     request   ↓              ↓ ↓   ↓
 *     run       ▇▇▇            ▇▇▇      ▇▇▇▇          ▇▇▇
 *                  └─ minInterval ─┘  gathered    └─ maxInterval ─┘
 *
 * After a quiet spell a request is carried out at once; those that come during a run, or soon after it,
 * become one run. A function that throws is run again, after a pause that grows.
 */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #backoff: Backoff;
  /** When a run is due; Infinity for never. */
  #due = Number.POSITIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;
  #isRequested = false;
  /** Ends the wait for the next run, whose time has to be found anew. */
  #wake: () => void = () => {};

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff();
  }

  /** Asks for a run as soon as may be. Requests made before {@link run} count. */
  request(): void {
    if (this.#isRequested) return;
    this.#isRequested = true;
    this.#wake();
  }

  /** Asks for a run after some milliseconds. The soonest such time counts, and is forgotten as any run starts. */
  retryAfter(milliseconds: number): void {
    const due = this.#options.clock.now() + milliseconds;
    if (due >= this.#due) return;
    this.#due = due;
    this.#wake();
  }

  /** Runs the function until the signal aborts; a run that is under way then is waited for. */
  async run(signal: AbortSignal): Promise<void> {
    this.#restartPeriod();
    while (await this.#isDue(signal)) {
      this.#isRequested = false;
      this.#due = Number.POSITIVE_INFINITY;
      await this.#runOnce();
    }
  }

  async #runOnce(): Promise<void> {
    const { clock, log, minInterval, run } = this.#options;
    try {
      await run();
      this.#backoff.reset();
    } catch (error) {
      log.error('a run failed and will be repeated', error);
      this.retryAfter(this.#backoff.next());
    }
    this.#notBefore = clock.now() + minInterval;
    this.#restartPeriod();
  }

  #restartPeriod(): void {
    const { maxInterval } = this.#options;
    if (maxInterval !== undefined) this.retryAfter(maxInterval);
  }

  /** Waits until a run is due: true; or until the signal aborts: false. */
  async #isDue(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const time = Math.max(this.#isRequested ? clock.now() : this.#due, this.#notBefore);
      if (time <= clock.now()) return true;
      await this.#pause(time - clock.now(), signal);
    }
    return false;
  }

  async #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(Math.min(milliseconds, longestTimer), done);
      function done(): void {
        cancel();
        signal.removeEventListener('abort', done);
        resolve();
      }
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
