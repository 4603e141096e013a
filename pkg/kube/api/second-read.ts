import { Backoff } from '../../runner/backoff.ts';
import { type Clock, seconds } from '../../runner/clock.ts';
import type { KubeLog, KubeMetrics } from '../metrics.ts';
import type { Kind } from '../types.ts';
import { askedPause, failureLabel, isVersionError } from './error.ts';
import { FailureLog } from './failure-log.ts';
import type { KindClient } from './kind-client.ts';
import type { ObjectTracker } from './tracker.ts';

/** The delay before a second read: the minimum, and the time over which nodes spread. */
const delay = { least: seconds(10), spread: seconds(10) };

export interface SecondReadOptions {
  readonly kind: Kind;
  readonly client: KindClient;
  readonly tracker: ObjectTracker;
  readonly clock: Clock;
  /** Returns a number from 0 up to 1. */
  readonly random: () => number;
  readonly metrics: KubeMetrics;
  readonly log: KubeLog;
  readonly onDone: () => void;
}

/**
 * Reads all objects of a kind once more after a delay, beside the watch and on a connection of its own. So the tracker learns which
 * objects that a first read omitted are really gone. A read that fails is repeated with growing pauses.
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

  /** Whether a read was requested and has not succeeded yet. */
  get isRequested(): boolean {
    return this.#isRequested;
  }

  /** Requests a read that begins 10 to 20 s from now, in place of one requested before. */
  request(): void {
    this.#cancel();
    this.#isRequested = true;
    this.#isVersionRefused = false;
    this.#backoff.reset();
    this.#schedule(delay.least + this.#options.random() * delay.spread);
  }

  /** Cancels what was requested. Resolves when nothing is under way. */
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
      // Never 0, as the answer to that may be older than our state. Without a version the answer is the newest state.
      query: version === '' || this.#isVersionRefused ? {} : { resourceVersion: version },
      ownConnection: true,
      signal,
      onItem: (item) => tracker.secondItem(item),
    });
    signal.throwIfAborted();
    tracker.endSecondRead();
  }
}
