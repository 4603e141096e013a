import { Backoff } from './backoff.ts';
import type { Clock } from './clock.ts';

/** What a {@link Runner} runs, and how often. Times are milliseconds. */
export interface RunnerOptions {
  readonly clock: Clock;
  readonly log: { error(message: string, error: unknown): void };
  /** The shortest time from the end of a run to the start of the next. */
  readonly minInterval: number;
  /** The longest time without a run; no limit by default. */
  readonly maxInterval?: number;
  /** The pauses after runs that threw. */
  readonly backoff?: Backoff;
  readonly run: () => Promise<void>;
}

/** The longest time that Node's timers take; a longer one ends at once. */
const longestTimer = 2 ** 31 - 1;

/**
 * Runs one function on request, never twice at the same time and at bounded intervals.
 *
 *     request   ↓              ↓ ↓   ↓
 *     run       ▇▇▇            ▇▇▇      ▇▇▇▇          ▇▇▇
 *                  └─ minInterval ─┘  gathered    └─ maxInterval ─┘
 *
 * After a quiet time a request is carried out at once. Requests during a run, or soon after it, become one run. If the function
 * throws, it is run again after a growing pause.
 */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #backoff: Backoff;
  /** When a run is due; Infinity for never. */
  #due = Number.POSITIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;
  #isRequested = false;
  /** Ends the wait for the next run, so that its time is computed again. */
  #wake: () => void = () => {};

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff();
  }

  /** Requests a run as soon as possible. Calls before {@link run} count. */
  request(): void {
    if (this.#isRequested) return;
    this.#isRequested = true;
    this.#wake();
  }

  /** Requests a run after some milliseconds. The earliest such time counts. The start of any run clears it. */
  retryAfter(milliseconds: number): void {
    const due = this.#options.clock.now() + milliseconds;
    if (due >= this.#due) return;
    this.#due = due;
    this.#wake();
  }

  /** Runs the function when it is due until the signal aborts. Waits for a run that is under way then. */
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

  /** Waits until a run is due. False once the signal aborts. */
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
