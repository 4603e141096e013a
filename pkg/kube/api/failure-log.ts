import { type Clock, minutes } from '../../runner/clock.ts';
import type { KubeLog } from '../metrics.ts';

/** After how long a failure that goes on is logged again. */
const reminderInterval = minutes(5);

export interface FailureLogOptions {
  readonly clock: Clock;
  readonly log: KubeLog;
  /** For example `cannot follow every Service`. */
  readonly message: string;
  /** Logged when it works again, if it is given. */
  readonly overMessage?: string;
}

/** Logs a failure when it begins, and every five minutes while it goes on. */
export class FailureLog {
  readonly #options: FailureLogOptions;
  #last: { readonly text: string; readonly time: number } | undefined;

  constructor(options: FailureLogOptions) {
    this.#options = options;
  }

  /** Records one more failure. */
  failed(error: unknown): void {
    const { clock, log, message } = this.#options;
    const text = error instanceof Error ? error.message : String(error);
    const last = this.#last;
    if (last?.text === text && clock.now() - last.time < reminderInterval) return;
    this.#last = { text, time: clock.now() };
    log.error(message, { error: text });
  }

  /** Records a success. */
  over(): void {
    const { log, overMessage } = this.#options;
    if (this.#last === undefined) return;
    this.#last = undefined;
    if (overMessage !== undefined) log.info(overMessage);
  }
}
