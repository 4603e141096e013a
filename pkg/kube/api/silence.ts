import type { Clock } from '../../runner/clock.ts';

export interface SilenceOptions {
  readonly clock: Clock;
  /** How long silence is bearable just now, in milliseconds; asked whenever a silence may have become too long. */
  readonly limit: () => number;
  readonly onSilence: () => void;
}

/** Calls back once when nothing was heard for some time. A sign of life costs no timer of its own. */
export class SilenceTimer {
  readonly #options: SilenceOptions;
  #last: number;
  #cancel: () => void;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#last = options.clock.now();
    this.#cancel = this.#arm();
  }

  /** Something was heard. */
  heard(): void {
    this.#last = this.#options.clock.now();
  }

  /** Gives up waiting. */
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
