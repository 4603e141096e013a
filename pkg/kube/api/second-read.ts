import { Backoff } from '../../runner/backoff.ts';
import { type Clock, seconds } from '../../runner/clock.ts';
import type { KubeLog, KubeMetrics } from '../metrics.ts';
import type { Kind } from '../types.ts';
import { askedPause, failureLabel, isVersionError } from './error.ts';
import { FailureLog } from './failure-log.ts';
import type { KindClient } from './kind-client.ts';
import type { ObjectTracker } from './tracker.ts';

/** How long after it is asked for the second read begins: at least, and over what time many nodes spread. */
const delay = { least: seconds(10), spread: seconds(10) };

export interface SecondReadOptions {
  readonly kind: Kind;
  readonly client: KindClient;
  readonly tracker: ObjectTracker;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly metrics: KubeMetrics;
  readonly log: KubeLog;
  readonly onDone: () => void;
}

/**
 * Reads all objects of a kind once more, some time after it is asked for, beside the watch and on a connection of its own:
 * the tracker then knows what is gone of that which a first read left out. A read that fails is repeated with growing pauses.
 */
export class SecondRead {
  readonly #options: SecondReadOptions;
  readonly #backoff: Backoff;
  readonly #failures: FailureLog;
  #cancel: () => void = () => {};
  #reading: Promise<void> = Promise.resolve();
  #isRequested = false;
  /** The server does not have our version, or not yet. */
  #isVersionRefused = false;

  constructor(options: SecondReadOptions) {
    const { kind, random } = options;
    this.#options = options;
    this.#backoff = new Backoff({ random });
    const message = `cannot read every ${kind} a second time, trying again`;
    this.#failures = new FailureLog({ ...options, message });
  }

  /** Whether it was asked for and has not succeeded yet. */
  get isRequested(): boolean {
    return this.#isRequested;
  }

  /** Asks for a read that begins 10 to 20 s from now; one that was asked for before is given up. */
  request(): void {
    this.#cancel();
    this.#isRequested = true;
    this.#isVersionRefused = false;
    this.#backoff.reset();
    this.#schedule(delay.least + this.#options.random() * delay.spread);
  }

  /** Gives up what was asked for; ends when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#cancel();
    this.#isRequested = false;
    await this.#reading;
  }

  #schedule(milliseconds: number): void {
    this.#cancel = this.#options.clock.after(milliseconds, () => {
      this.#reading = this.#attempt();
    });
  }

  async #attempt(): Promise<void> {
    const { kind, metrics, onDone } = this.#options;
    const stop = new AbortController();
    this.#cancel = () => stop.abort(new Error('no longer needed'));
    try {
      await this.#read(stop.signal);
      this.#isRequested = false;
      this.#failures.over();
      onDone();
    } catch (error) {
      if (stop.signal.aborted) return;
      metrics.failed(kind, failureLabel(error));
      this.#failures.failed(error);
      this.#isVersionRefused ||= isVersionError(error);
      this.#schedule(this.#backoff.next(askedPause(error)));
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { client, tracker } = this.#options;
    const { version } = tracker;
    tracker.startSecondRead();
    await client.list({
      // Never 0, which may be answered with an older state than ours; no version means the newest.
      query: version === '' || this.#isVersionRefused ? {} : { resourceVersion: version },
      ownConnection: true,
      signal,
      onItem: (item) => tracker.secondItem(item),
    });
    signal.throwIfAborted();
    tracker.endSecondRead();
  }
}
