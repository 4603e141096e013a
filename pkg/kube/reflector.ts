import { Backoff } from '../runner/backoff.ts';
import { type Clock, minutes, seconds, sleep } from '../runner/clock.ts';
import type { Client } from './client.ts';
import {
  ApiError,
  askedPause,
  failureLabel,
  isExpired,
  isRefused,
  isTooLargeVersion,
} from './error.ts';
import type { KubeLog, KubeMetrics } from './metrics.ts';
import { versionOf } from './reduce.ts';
import type { StreamingSupport } from './streaming.ts';
import { ObjectTracker, type TrackerHandler } from './tracker.ts';
import type { Kind } from './types.ts';

/** A watch that ends sooner than this without an event did not end normally. */
const shortestWatch = seconds(1);
/** A watch that lived this long was healthy, whatever ended it. */
const healthyWatch = seconds(10);
/** A live watch sends a bookmark about once a minute: after so many without any, and longer than that, all is read again. */
const barrenLimit = { count: 2, length: seconds(100) };
/** How long a streaming list may be without an event before a plain list is tried. */
const streamPatience = seconds(10);
/** After how long a failure that goes on is told again. */
const reminderInterval = minutes(5);

/** The longest that the first pause after a failure can be; those that follow double, up to half a minute. */
const firstPause = seconds(0.4);

/** What a reflector watches, and with what. */
export interface ReflectorOptions {
  readonly kind: Kind;
  /** `/api/v1/services`. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Whether the field selector only saves work, so that a server that does not know it is asked without. */
  readonly isFieldSelectorOptional?: boolean;
  readonly client: Client;
  readonly clock: Clock;
  /** From 0 up to 1, as Math.random. */
  readonly random: () => number;
  readonly streaming: StreamingSupport;
  readonly metrics: KubeMetrics;
  readonly log: KubeLog;
  readonly handler: TrackerHandler;
  /** What was told may be out of date from now on, or is not any more. */
  readonly onCurrent: (isCurrent: boolean) => void;
}

/**
 * Follows all objects of a kind, through every failure, until it is told to stop.
 *
 *      ┌─► read all: as a stream ──(cannot)──► as a list ─┐
 *      │        │ complete                               │ complete
 *      │        ▼                                        ▼
 *      └─(410)─ watch from the last version ◄── ended or failed: again, from the last version
 *
 * What was told stays in force while nothing can be read. Reading all anew tells only what it finds, and in
 * the end what has vanished.
 */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #backoff: Backoff;
  readonly #tracker: ObjectTracker;
  /** The state is of no use to go on from: all is read again. */
  #mustReadAll = true;
  /** The server does not have our version, or not yet: reading all takes whatever there is. */
  #isVersionRefused = false;
  /** Watches in a row that were long and told nothing: the server may not know our version. */
  #barrenWatches = 0;
  #usesFieldSelector: boolean;
  #isCurrent = true;
  #lastFailure: { readonly message: string; readonly time: number } | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ random: options.random, first: firstPause });
    this.#tracker = new ObjectTracker(options.handler);
    this.#usesFieldSelector = options.fieldSelector !== undefined;
  }

  /** Follows until the signal aborts; never fails. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#mustReadAll) await this.#readAll(signal);
        else await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (this.#dropsFieldSelector(error)) continue;
        await sleep(this.#options.clock, this.#failed(error), signal);
      }
    }
  }

  async #readAll(signal: AbortSignal): Promise<void> {
    const { streaming, log, kind, metrics } = this.#options;
    if (!streaming.isExpected()) return this.#list(signal);
    const obstacle = await this.#stream(signal);
    if (obstacle === undefined) return;
    if (signal.aborted) return;
    metrics.failed(kind, failureLabel(obstacle));
    log.info(`cannot read every ${kind} as a stream, reading a list`, { reason: obstacle.message });
    if (isRefused(obstacle)) streaming.avoid();
    await this.#list(signal);
    // Only now it is certain that the stream was the obstacle, and not a server that was going down.
    streaming.avoid();
  }

  /** Reads all as the beginning of a watch, and goes on watching; gives the reason why only a list can help. */
  async #stream(signal: AbortSignal): Promise<Error | undefined> {
    const { clock } = this.#options;
    const patience = new AbortController();
    const giveUp = () => patience.abort(new Error(`no event for ${streamPatience / 1000} s`));
    let cancel = clock.after(streamPatience, giveUp);
    let hasAnswer = false;
    this.#tracker.startPass();
    try {
      await this.#open(AbortSignal.any([signal, patience.signal]), {
        query: {
          ...this.#versionQuery(),
          sendInitialEvents: 'true',
          resourceVersionMatch: 'NotOlderThan',
        },
        onEvents: (events) => {
          cancel();
          hasAnswer = true;
          for (const event of events) this.#tracker.event(event);
          if (!this.#tracker.isComplete) cancel = clock.after(streamPatience, giveUp);
          else if (this.#mustReadAll) this.#complete('stream');
        },
      });
    } catch (error) {
      if (signal.aborted || this.#tracker.isComplete || isVersionError(error)) throw error;
      const isObstacle = patience.signal.aborted || hasAnswer || isRefused(error);
      if (!isObstacle || !(error instanceof Error) || this.#canDropFieldSelector(error))
        throw error;
      return error;
    } finally {
      cancel();
    }
    return this.#tracker.isComplete
      ? undefined
      : new Error('the stream ended before it was complete');
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, path } = this.#options;
    const isFirst = this.#tracker.version === '' && !this.#isVersionRefused;
    this.#tracker.startPass();
    const list = await client.list(path, {
      query: {
        ...this.#selectors(),
        ...(isFirst ? { resourceVersion: '0' } : this.#versionQuery()),
      },
      signal,
      onItems: (items) => {
        for (const item of items) this.#tracker.item(item);
      },
    });
    this.#tracker.endPass(versionOf(list));
    this.#complete('list');
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const start = clock.now();
    let hasEvents = false;
    try {
      await this.#open(signal, {
        query: { resourceVersion: this.#tracker.version },
        onEvents: (events) => {
          hasEvents = true;
          for (const event of events) this.#tracker.event(event);
          this.#works();
        },
      });
    } finally {
      if (hasEvents) this.#barrenWatches = 0;
      else if (clock.now() - start > barrenLimit.length) this.#barrenWatches++;
    }
    // Opening the next at once would be a storm.
    if (!hasEvents && clock.now() - start < shortestWatch)
      throw new Error('the watch ended as soon as it began');
  }

  /** One watch from beginning to end. */
  async #open(
    signal: AbortSignal,
    {
      query,
      onEvents,
    }: { query: Readonly<Record<string, string>>; onEvents: (events: readonly unknown[]) => void },
  ): Promise<void> {
    const { client, path, clock, random } = this.#options;
    const start = clock.now();
    const timeoutSeconds = `${300 + Math.floor(random() * 301)}`;
    const options = { watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds };
    try {
      await client.watch(path, {
        query: { ...this.#selectors(), ...options, ...query },
        signal,
        onEvents,
      });
    } finally {
      if (clock.now() - start >= healthyWatch) this.#backoff.reset();
    }
  }

  #complete(how: 'stream' | 'list'): void {
    this.#mustReadAll = false;
    this.#isVersionRefused = false;
    this.#options.metrics.listed(this.#options.kind, how);
    this.#works();
  }

  /** Draws the conclusions of a failure, and gives how long to wait. */
  #failed(error: unknown): number {
    const { kind, metrics } = this.#options;
    metrics.failed(kind, failureLabel(error));
    this.#tell(error);
    this.#setCurrent(false);
    const isBadRequest =
      error instanceof ApiError && (error.status === 400 || error.status === 422);
    if (this.#mustReadAll) this.#isVersionRefused ||= isVersionError(error);
    else {
      this.#mustReadAll =
        isVersionError(error) || isBadRequest || this.#barrenWatches >= barrenLimit.count;
      if (this.#mustReadAll) this.#barrenWatches = 0;
      this.#isVersionRefused = isBadRequest;
    }
    return this.#backoff.next(askedPause(error));
  }

  #tell(error: unknown): void {
    const { kind, log, clock } = this.#options;
    const message = error instanceof Error ? error.message : String(error);
    const isKnown =
      this.#lastFailure?.message === message &&
      clock.now() - this.#lastFailure.time < reminderInterval;
    if (isKnown) return;
    this.#lastFailure = { message, time: clock.now() };
    log.error(`cannot follow every ${kind}, keeping what is known and trying again`, {
      error: message,
    });
  }

  #works(): void {
    this.#setCurrent(true);
    if (this.#lastFailure === undefined) return;
    this.#lastFailure = undefined;
    this.#options.log.info(`following every ${this.#options.kind} again`);
  }

  #setCurrent(isCurrent: boolean): void {
    if (isCurrent === this.#isCurrent) return;
    this.#isCurrent = isCurrent;
    this.#options.onCurrent(isCurrent);
  }

  #versionQuery(): { resourceVersion?: string } {
    const { version } = this.#tracker;
    return version === '' || this.#isVersionRefused ? {} : { resourceVersion: version };
  }

  #selectors(): Record<string, string> {
    const { labelSelector, fieldSelector } = this.#options;
    return {
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && this.#usesFieldSelector && { fieldSelector }),
    };
  }

  #canDropFieldSelector(error: unknown): boolean {
    return (
      this.#usesFieldSelector &&
      this.#options.isFieldSelectorOptional === true &&
      error instanceof ApiError &&
      error.status === 400
    );
  }

  #dropsFieldSelector(error: unknown): boolean {
    if (!this.#canDropFieldSelector(error)) return false;
    this.#usesFieldSelector = false;
    this.#options.log.info(
      `the server does not know ${this.#options.fieldSelector}, asking for every ${this.#options.kind}`,
    );
    return true;
  }
}

/** Whether the server cannot give the state of our version, or from it on. */
function isVersionError(error: unknown): boolean {
  return isExpired(error) || isTooLargeVersion(error);
}
