import { type Clock, minutes } from './clock.ts';

/** How often the event loop is asked, in milliseconds: 0.07 % of a processor, as each timer wakes the process. */
const interval = 200;
/** How long after the last scrape the event loop is still asked. */
const patience = minutes(3);

/**
 * Measures how late the event loop comes to a timer, five times a second, for as long as somebody wants to know: what a probe or an event
 * that comes at any moment waits for its turn. Where nobody scrapes there is no timer at all.
 */
export class EventLoopDelay {
  readonly #clock: Clock;
  readonly #observe: (milliseconds: number) => void;
  #wantedUntil = 0;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  /** `observe` gets each delay, in milliseconds. */
  constructor(clock: Clock, observe: (milliseconds: number) => void) {
    this.#clock = clock;
    this.#observe = observe;
  }

  /** Measures for the next minutes, as somebody has just scraped. */
  wanted(): void {
    this.#wantedUntil = this.#clock.now() + patience;
    if (this.#cancel === undefined && !this.#isStopped) this.#next();
  }

  /** Measures no more, whoever wants it. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #next(): void {
    const due = this.#clock.now() + interval;
    this.#cancel = this.#clock.after(interval, () => {
      const now = this.#clock.now();
      this.#observe(Math.max(0, now - due));
      this.#cancel = undefined;
      if (now < this.#wantedUntil) this.#next();
    });
  }
}
