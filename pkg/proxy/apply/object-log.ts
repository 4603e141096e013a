import type { Fields, Logger } from '../../log/log.ts';
import { type Clock, minutes } from '../../runner/clock.ts';

/** How long the same event of the same object is not logged again, in milliseconds. */
const interval = minutes(1);

/** How many events are logged within that time at most. */
const limit = 20;

/** What happened to one object. */
export interface ObjectEvent {
  /** Names the object, for telling failures of one from those of another. */
  readonly object: string;
  readonly message: string;
  /** What went wrong; a message without is information. */
  readonly error?: unknown;
  readonly fields: Fields;
}

/** Logs what happens to objects: of each object and cause one line a minute, and a bounded number of lines altogether. */
export class ObjectLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  /** When an object's event was logged, by object and message; the oldest first. */
  readonly #logged = new Map<string, number>();
  #suppressed = 0;

  constructor({ log, clock }: { log: Logger; clock: Clock }) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Logs an event, unless the same was logged a moment ago. */
  report({ object, message, error, fields }: ObjectEvent): void {
    const now = this.#clock.now();
    this.#forgetOld(now);
    const key = `${object}: ${message}: ${error instanceof Error ? error.message : String(error)}`;
    if (this.#logged.has(key)) return;
    if (this.#logged.size >= limit) {
      this.#suppressed++;
      return;
    }
    this.#logged.set(key, now);
    const suppressed = this.#suppressed > 0 && { notLogged: this.#suppressed };
    this.#suppressed = 0;
    const all = { ...fields, ...suppressed };
    if (error === undefined) this.#log.info(message, all);
    else this.#log.error(message, error, all);
  }

  #forgetOld(now: number): void {
    for (const [key, time] of this.#logged) {
      if (now - time < interval) return;
      this.#logged.delete(key);
    }
  }
}

/** A log for what runs again and again: of each cause of a failure one line a minute. */
export function limitedLog(
  object: string,
  context: { log: Logger; clock: Clock },
): { error(message: string, error: unknown): void } {
  const events = new ObjectLog(context);
  return { error: (message, error) => events.report({ object, message, error, fields: {} }) };
}
