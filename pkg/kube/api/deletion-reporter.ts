import type { ObjectTracker } from './tracker.ts';

/** How many deletions are reported at once: a few milliseconds of work. */
const stretch = 500;

/** Reports the objects that a tracker found deleted: some at once, the rest between turns of the event loop. */
export class DeletionReporter {
  readonly #tracker: ObjectTracker;
  readonly #onFailed: (error: unknown) => void;
  #rest: Promise<void> | undefined;
  #isStopped = false;

  /** @param onFailed called if a report throws; it is repeated by the next {@link start} */
  constructor(tracker: ObjectTracker, onFailed: (error: unknown) => void) {
    this.#tracker = tracker;
    this.#onFailed = onFailed;
  }

  /** Begins to report, unless that is under way. Throws if one of the first reports throws. */
  start(): void {
    if (this.#rest !== undefined || !this.#tracker.reportGone(stretch)) return;
    this.#rest = this.#reportRest().finally(() => (this.#rest = undefined));
  }

  /** Stops. Resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#rest;
  }

  async #reportRest(): Promise<void> {
    try {
      do await new Promise<void>((resolve) => setImmediate(resolve));
      while (!this.#isStopped && this.#tracker.reportGone(stretch));
    } catch (error) {
      this.#onFailed(error);
    }
  }
}
