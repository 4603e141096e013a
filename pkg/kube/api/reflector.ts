import { type Clock, seconds, sleep } from '../../runner/clock.ts';
import type { KubeLog, KubeMetrics } from '../metrics.ts';
import type { Client } from './client.ts';
import { DeletionReporter } from './deletion-reporter.ts';
import { ApiError, failureLabel, isRefused, isVersionError } from './error.ts';
import { FailureLog } from './failure-log.ts';
import { KindClient, type Selection } from './kind-client.ts';
import { Pace } from './pace.ts';
import { SecondRead } from './second-read.ts';
import type { StreamingSupport } from './streaming.ts';
import { ObjectTracker, type TrackerHandler } from './tracker.ts';
import { type EndedWatch, liveWatch } from './watch.ts';

/** A watch that ends sooner than this did not end normally, whatever came in it. */
const shortestWatch = seconds(1);
/** After so long without an event a watch is opened anew: a server sends bookmarks while its version moves, and may be silent otherwise. */
const watchPatience = seconds(120);
/** After so many silent watches in a row the server is asked whether it has our version at all. */
const silentLimit = 2;
/** How long a streaming list may be without an event before a plain list is tried. */
const streamPatience = seconds(10);

/** What a reflector watches, and with what. */
export interface ReflectorOptions extends Selection {
  readonly client: Client;
  readonly clock: Clock;
  /** From 0 up to 1, as Math.random. */
  readonly random: () => number;
  readonly streaming: StreamingSupport;
  readonly metrics: KubeMetrics;
  readonly log: KubeLog;
  readonly handler: Omit<TrackerHandler, 'unconfirmed'>;
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
 * the end what has vanished. Where too much has vanished to be believed, a second read decides, beside the watch.
 */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #client: KindClient;
  readonly #pace: Pace;
  readonly #tracker: ObjectTracker;
  readonly #failures: FailureLog;
  readonly #secondRead: SecondRead;
  readonly #gone: DeletionReporter;
  /** The state is of no use to go on from: all is read again. */
  #mustReadAll = true;
  /** The server does not have our version, or not yet: reading all takes whatever there is. */
  #isVersionRefused = false;
  #silentWatches = 0;
  /** Something failed, and no watch has lived since. */
  #isFailing = false;
  #isWatchAlive = false;
  #isCurrent = true;
  #unconfirmedCount = 0;

  constructor(options: ReflectorOptions) {
    const { random, kind } = options;
    this.#options = options;
    this.#client = new KindClient(options, options);
    this.#pace = new Pace(random);
    this.#tracker = new ObjectTracker(kind, {
      ...options.handler,
      unconfirmed: (omitted, known) => this.#keepUnconfirmed(omitted, known),
    });
    const message = `cannot follow every ${kind}, keeping what is known and trying again`;
    const overMessage = `following every ${kind} again`;
    this.#failures = new FailureLog({ ...options, message, overMessage });
    this.#secondRead = new SecondRead({
      ...options,
      client: this.#client,
      tracker: this.#tracker,
      onDone: () => this.#caughtUp(),
    });
    this.#gone = new DeletionReporter(this.#tracker, (error) => this.#failures.failed(error));
  }

  /** Follows until the signal aborts; never fails. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#mustReadAll) await this.#readAll(signal);
        else if (this.#silentWatches >= silentLimit) await this.#checkVersion(signal);
        else await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) break;
        if (this.#client.canDropFieldSelector(error)) this.#client.dropFieldSelector();
        else await sleep(this.#options.clock, this.#failed(error), signal);
      }
    }
    await Promise.all([this.#secondRead.stop(), this.#gone.stop()]);
  }

  /** Reads everything once more, 10 to 20 s from now and on a new connection, tells what was not known, and then that it is confirmed. */
  confirm(): void {
    if (!this.#secondRead.isRequested) this.#secondRead.request();
  }

  async #readAll(signal: AbortSignal): Promise<void> {
    const { streaming, log, kind, metrics } = this.#options;
    if (!streaming.isExpected()) return this.#list(signal);
    const obstacle = await this.#stream(signal);
    if (obstacle === undefined || signal.aborted) return;
    metrics.failed(kind, failureLabel(obstacle));
    log.info(`cannot read every ${kind} as a stream, reading a list`, { reason: obstacle.message });
    if (isRefused(obstacle)) streaming.avoid();
    await this.#list(signal);
    // Only now it is certain that the stream was the obstacle, and not a server that was going down.
    streaming.avoid();
  }

  /** Reads all as the beginning of a watch, and goes on watching; gives the reason why only a list can help. */
  async #stream(signal: AbortSignal): Promise<Error | undefined> {
    let hasAnswer = false;
    this.#tracker.startPass();
    try {
      const end = await this.#open(signal, {
        query: {
          ...this.#versionQuery(),
          sendInitialEvents: 'true',
          resourceVersionMatch: 'NotOlderThan',
        },
        patience: () => (this.#tracker.isComplete ? watchPatience : streamPatience),
        onEvents: (events) => {
          hasAnswer = true;
          for (const event of events) this.#tracker.event(event);
          if (this.#tracker.isComplete && this.#mustReadAll) this.#complete('stream');
        },
      });
      if (this.#tracker.isComplete) {
        this.#ended(end);
        return undefined;
      }
      const silence = `no event for ${streamPatience / 1000} s`;
      return new Error(end.isSilent ? silence : 'the stream ended before it was complete');
    } catch (error) {
      if (signal.aborted || this.#tracker.isComplete || isVersionError(error)) throw error;
      const isObstacle = hasAnswer || isRefused(error);
      if (!isObstacle || !(error instanceof Error) || this.#client.canDropFieldSelector(error))
        throw error;
      return error;
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const isFirst = this.#tracker.version === '' && !this.#isVersionRefused;
    this.#tracker.startPass();
    const version = await this.#client.list({
      query: isFirst ? { resourceVersion: '0' } : this.#versionQuery(),
      signal,
      onItem: (item) => this.#tracker.item(item),
    });
    this.#tracker.endPass(version);
    this.#complete('list');
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const end = await this.#open(signal, {
      query: { resourceVersion: this.#tracker.version },
      patience: () => watchPatience,
      onEvents: (events) => {
        for (const event of events) this.#tracker.event(event);
      },
    });
    this.#ended(end);
  }

  /** A watch that ended without failing is followed by the next at once, unless that would be a storm. */
  #ended({ isSilent, lifetime = 0 }: EndedWatch): void {
    if (isSilent && lifetime === 0) throw new Error(`no answer for ${watchPatience / 1000} s`);
    if (lifetime < shortestWatch) throw new Error('the watch ended as soon as it began');
    if (isSilent) this.#silentWatches++;
  }

  /** Silence may mean that nothing changes, or that the server was restored from a backup and has yet to catch up with us. */
  async #checkVersion(signal: AbortSignal): Promise<void> {
    const { version } = this.#tracker;
    const query = { limit: '1', resourceVersion: version, resourceVersionMatch: 'NotOlderThan' };
    this.#tracker.goOnFrom(await this.#client.list({ query, signal }));
    this.#silentWatches = 0;
  }

  /** One watch from beginning to end. */
  async #open(
    signal: AbortSignal,
    {
      query,
      patience,
      onEvents,
    }: {
      query: Readonly<Record<string, string>>;
      patience: () => number;
      onEvents: (events: readonly unknown[]) => void;
    },
  ): Promise<EndedWatch> {
    const { clock, random } = this.#options;
    const timeoutSeconds = `${300 + Math.floor(random() * 301)}`;
    try {
      return await liveWatch({
        clock,
        signal,
        patience,
        open: ({ onHeard, ...hooks }) =>
          this.#client.watch({
            ...hooks,
            query: { ...query, timeoutSeconds },
            onEvents: (events) => {
              onHeard();
              this.#silentWatches = 0;
              onEvents(events);
              this.#caughtUp();
            },
          }),
        onAlive: () => {
          this.#isWatchAlive = true;
          this.#works();
        },
        onHealthy: () => this.#pace.reset(),
      });
    } finally {
      this.#isWatchAlive = false;
    }
  }

  /** What came was taken in: what follows from it is told. */
  #caughtUp(): void {
    this.#gone.start();
    this.#tellState();
  }

  #complete(how: 'stream' | 'list'): void {
    this.#mustReadAll = false;
    this.#isVersionRefused = false;
    this.#options.metrics.listed(this.#options.kind, how);
    this.#caughtUp();
    this.#works();
  }

  #keepUnconfirmed(omitted: number, known: number): void {
    const { log, kind } = this.#options;
    const message = `not believing that so much is gone at once: keeping every ${kind} until a second read leaves it out too`;
    log.error(message, { omitted, known });
    this.#secondRead.request();
    this.#tellState();
  }

  /** Draws the conclusions of a failure, and gives how long to wait. */
  #failed(error: unknown): number {
    const { kind, metrics } = this.#options;
    metrics.failed(kind, failureLabel(error));
    this.#failures.failed(error);
    this.#isFailing = true;
    this.#tellState();
    const isBadRequest =
      error instanceof ApiError && (error.status === 400 || error.status === 422);
    if (this.#mustReadAll) this.#isVersionRefused ||= isVersionError(error);
    else {
      this.#mustReadAll = isVersionError(error) || isBadRequest;
      if (this.#mustReadAll) this.#silentWatches = 0;
      this.#isVersionRefused = isBadRequest;
    }
    return this.#pace.pauseAfter(error);
  }

  /** It works if everything was read and a watch has lived for a while. */
  #works(): void {
    if (this.#mustReadAll || !this.#isWatchAlive) return;
    this.#isFailing = false;
    this.#failures.over();
    this.#tellState();
  }

  #tellState(): void {
    const { metrics, kind, onCurrent } = this.#options;
    const { unconfirmedCount } = this.#tracker;
    if (unconfirmedCount !== this.#unconfirmedCount) {
      this.#unconfirmedCount = unconfirmedCount;
      metrics.unconfirmed(kind, unconfirmedCount);
    }
    const isCurrent = !this.#isFailing && unconfirmedCount === 0;
    if (isCurrent === this.#isCurrent) return;
    this.#isCurrent = isCurrent;
    onCurrent(isCurrent);
  }

  #versionQuery(): { resourceVersion?: string } {
    const { version } = this.#tracker;
    return version === '' || this.#isVersionRefused ? {} : { resourceVersion: version };
  }
}
