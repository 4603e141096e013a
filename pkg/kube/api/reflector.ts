import { type Clock, seconds, sleep } from '../../runner/clock.ts';
import type { KubeLog, KubeMetrics } from '../metrics.ts';
import type { Client } from './client.ts';
import { DeletionReporter } from './deletion-reporter.ts';
import { failureLabel, isBadRequest, isRefused, isVersionError } from './error.ts';
import { FailureLog } from './failure-log.ts';
import { KindClient, type Selection } from './kind-client.ts';
import { Pace } from './pace.ts';
import { CurrentState, type ReflectorState } from './reflector-state.ts';
import { SecondRead } from './second-read.ts';
import type { StreamingSupport } from './streaming.ts';
import { ObjectTracker, type TrackerHandler } from './tracker.ts';
import { type EndedWatch, liveWatch } from './watch.ts';

/** A watch that ends sooner than this counts as failed. */
const shortestWatch = seconds(1);
/** After how long without an event a watch is restarted. Servers send bookmarks, but only while their version changes. */
const watchPatience = seconds(120);
/** After how many silent watches in a row the server is asked for its version. */
const silentLimit = 2;
/** How long a streaming list may be silent before a plain list is tried. */
const streamPatience = seconds(10);

/** The objects that a reflector follows, and its environment. */
export interface ReflectorOptions extends Selection {
  readonly client: Client;
  readonly clock: Clock;
  /** Returns a number from 0 up to 1, as Math.random. */
  readonly random: () => number;
  readonly streaming: StreamingSupport;
  readonly metrics: KubeMetrics;
  readonly log: KubeLog;
  readonly handler: Omit<TrackerHandler, 'unconfirmed'>;
  /** Called when what was reported may be out of date, and when it is up to date again. */
  readonly onCurrent: (isCurrent: boolean) => void;
}

/**
 * Follows all objects of a kind through every failure.
 *
 *      ┌─► read all: as a stream ──(cannot)──► as a list ─┐
 *      │        │ complete                               │ complete
 *      │        ▼                                        ▼
 *      └─(410)─ watch from the last version ◄── ended or failed: again, from the last version
 *
 * What was reported stays valid while nothing can be read. A complete read reports what it contains, and deletions at its end. If too
 * many objects have vanished, a second read beside the watch decides whether they are gone.
 */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #client: KindClient;
  readonly #pace: Pace;
  readonly #tracker: ObjectTracker;
  readonly #failures: FailureLog;
  readonly #secondRead: SecondRead;
  readonly #gone: DeletionReporter;
  /** The state cannot be continued by a watch: everything must be read. */
  #mustReadAll = true;
  /** The server does not have our version, so the next read takes any version. */
  #isVersionRefused = false;
  #silentWatches = 0;
  /** Something failed, and no watch has lived since. */
  #isFailing = false;
  #isWatchAlive = false;
  #lastHeard: number | undefined;
  readonly #current: CurrentState;

  constructor(options: ReflectorOptions) {
    const { random, kind } = options;
    this.#options = options;
    this.#client = new KindClient(options, options);
    this.#current = new CurrentState(kind, options);
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

  /** How far it has come. */
  get state(): ReflectorState {
    const { size: objects, version } = this.#tracker;
    const now = { lastHeard: this.#lastHeard, isWatching: this.#isWatchAlive };
    return { kind: this.#options.kind, objects, version, ...now };
  }

  /** Follows until the signal aborts. Never throws. */
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

  /** Reads everything once more, 10 to 20 s from now on a new connection. Reports what was not known, then `confirmed`. */
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
    // Only now is it certain that streaming failed, and not that the server was going down.
    streaming.avoid();
  }

  /** Reads everything as the beginning of a watch, then goes on watching. Returns why only a list can help, if so. */
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

  /** Handles the end of a watch that did not fail. The next one follows at once, unless it was too short. */
  #ended({ isSilent, lifetime = 0 }: EndedWatch): void {
    if (isSilent && lifetime === 0) throw new Error(`no answer for ${watchPatience / 1000} s`);
    if (lifetime < shortestWatch) throw new Error('the watch ended as soon as it began');
    if (isSilent) this.#silentWatches++;
  }

  /** Checks the server's version after silence: it may have been restored from a backup to an older one. */
  async #checkVersion(signal: AbortSignal): Promise<void> {
    const { version } = this.#tracker;
    const query = { limit: '1', resourceVersion: version, resourceVersionMatch: 'NotOlderThan' };
    this.#tracker.goOnFrom(await this.#client.list({ query, signal }));
    this.#silentWatches = 0;
  }

  /** Runs one watch. */
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
    const { clock, random, metrics, kind } = this.#options;
    const timeoutSeconds = `${300 + Math.floor(random() * 301)}`;
    try {
      return await liveWatch({
        clock,
        signal,
        patience,
        open: ({ onData, ...hooks }) =>
          this.#client.watch({
            ...hooks,
            query: { ...query, timeoutSeconds },
            onEvents: (events) => {
              onData();
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
        onEnd: (end) => metrics.watchEnded(kind, end),
      });
    } finally {
      this.#isWatchAlive = false;
    }
  }

  /** Reports what follows from what was read: deletions and the state. */
  #caughtUp(): void {
    this.#lastHeard = this.#options.clock.wallClock();
    this.#gone.start();
    this.#reportState();
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
    this.#reportState();
  }

  /** Handles a failure. Returns how many milliseconds to wait. */
  #failed(error: unknown): number {
    const { kind, metrics } = this.#options;
    metrics.failed(kind, failureLabel(error));
    this.#failures.failed(error);
    this.#isFailing = true;
    this.#reportState();
    if (this.#mustReadAll) this.#isVersionRefused ||= isVersionError(error);
    else {
      this.#isVersionRefused = isBadRequest(error);
      this.#mustReadAll = isVersionError(error) || this.#isVersionRefused;
      if (this.#mustReadAll) this.#silentWatches = 0;
    }
    return this.#pace.pauseAfter(error);
  }

  /** Records a success if everything was read and a watch has lived for a while. */
  #works(): void {
    if (this.#mustReadAll || !this.#isWatchAlive) return;
    this.#isFailing = false;
    this.#failures.over();
    this.#reportState();
  }

  #reportState(): void {
    this.#current.set({ isFailing: this.#isFailing, unconfirmed: this.#tracker.unconfirmedCount });
  }

  #versionQuery(): { resourceVersion?: string } {
    const { version } = this.#tracker;
    return version === '' || this.#isVersionRefused ? {} : { resourceVersion: version };
  }
}
