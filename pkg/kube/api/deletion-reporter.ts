import type { ObjectTracker } from './tracker.ts';

/** How many deletions are told in one stretch: a few milliseconds of work for whoever hears them. */
const stretch = 500;

/** Tells what a tracker found gone, a stretch at once and the rest between turns of the event loop. */
export class DeletionReporter {
  readonly #tracker: ObjectTracker;
  readonly #onFailed: (error: unknown) => void;
  #rest: Promise<void> | undefined;
  #isStopped = false;

  /** @param onFailed hears that something could not be told; it is told by the next {@link start} */
  constructor(tracker: ObjectTracker, onFailed: (error: unknown) => void) {
    this.#tracker = tracker;
    this.#onFailed = onFailed;
  }

  /** Begins to tell, unless that is under way. Throws if something of the first stretch cannot be told. */
  start(): void {
    if (this.#rest !== undefined || !this.#tracker.reportGone(stretch)) return;
    this.#rest = this.#reportRest().finally(() => (this.#rest = undefined));
  }

  /** Tells no more; ends when nothing is under way. */
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
