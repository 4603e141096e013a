import type { Clock } from '../../runner/clock.ts';

export interface SilenceOptions {
  readonly clock: Clock;
  /** The longest silence, in milliseconds. Called when a silence may have become too long. */
  readonly limit: () => number;
  readonly onSilence: () => void;
}

/** Calls back once after a silence. {@link restart} sets no timer. */
export class SilenceTimer {
  readonly #options: SilenceOptions;
  #last: number;
  #cancel: () => void;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#last = options.clock.now();
    this.#cancel = this.#arm();
  }

  /** Restarts the silence. */
  restart(): void {
    this.#last = this.#options.clock.now();
  }

  /** Cancels the timer. */
  stop(): void {
    this.#cancel();
  }

  #arm(): () => void {
    const { clock, limit } = this.#options;
    return clock.after(Math.max(0, this.#last + limit() - clock.now()), () => this.#check());
  }

  #check(): void {
    const { clock, limit, onSilence } = this.#options;
    if (clock.now() - this.#last >= limit()) onSilence();
    else this.#cancel = this.#arm();
  }
}
