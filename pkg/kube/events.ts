import { randomBytes } from 'node:crypto';
import { shorten } from '../log/shorten.ts';
import { Backoff } from '../runner/backoff.ts';
import { type Clock, minutes, seconds, sleep } from '../runner/clock.ts';
import type { Client } from './api/client.ts';
import { ApiError, askedPause } from './api/error.ts';
import type { KubeLog, KubeMetrics } from './metrics.ts';

/** How many events wait for the API at most; more are dropped. */
const queueLimit = 100;
/** How many times an event is tried while the API does not answer. */
const tries = 4;
/** How many events an object may have at once, before one more each `refillTime`. */
const burst = 25;
const refillTime = minutes(5);
/** The same event within this time becomes a series of the first one. */
const seriesTime = minutes(6);
/** How many objects and series are remembered. */
const memoryLimit = 4096;
/** The longest note that the API takes, in bytes. */
const noteLimit = 1024;
/** The longest reportingInstance that the API takes. */
const instanceLimit = 128;
/** The longest name, uid or namespace that the API gives an object. */
const nameLimit = 253;

/** The object that an event is about. */
export interface EventSubject {
  readonly kind: string;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** An event of an object, for its owner. */
export interface KubeEvent {
  readonly regarding: EventSubject;
  readonly type: 'Normal' | 'Warning';
  /** One word, for machines: `Starting`. */
  readonly reason: string;
  /** What was done or tried: `StartKubeProxy`. */
  readonly action: string;
  /** For people. May be empty. */
  readonly note: string;
}

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly metrics: KubeMetrics;
  readonly log: KubeLog;
  /** The host name of this machine, which reports; the Node may have another name. */
  readonly hostName: string;
  readonly random?: () => number;
}

/** An event that was or will be sent. Repetitions only raise its count. */
interface Series {
  readonly event: KubeEvent;
  readonly path: string;
  readonly name: string;
  readonly first: number;
  last: number;
  count: number;
  /** The count that the API has; 0 before the event was sent. */
  sent: number;
  isQueued: boolean;
}

/**
 * Writes Kubernetes Events (events.k8s.io/v1). Recording never waits and never fails: events wait in a short queue, and repetitions
 * become a count. Events beyond the limits, or that the API does not take, are dropped and counted.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #queue: Series[] = [];
  readonly #series = new Map<string, Series>();
  readonly #tokens = new Map<string, { count: number; time: number }>();
  #wake: () => void = () => {};

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Records an event, which is sent soon. */
  record(whole: KubeEvent): void {
    const event = { ...whole, note: shortNote(whole.note) };
    const { namespace, name, uid } = event.regarding;
    if (Math.max(namespace.length, name.length, uid.length) > nameLimit)
      return this.#options.metrics.eventsDropped(1);
    const key = JSON.stringify([
      event.regarding,
      event.type,
      event.reason,
      event.action,
      event.note,
    ]);
    const now = this.#options.clock.wallClock();
    if (!this.#takeToken(event.regarding, now)) return this.#options.metrics.eventsDropped(1);
    let series = this.#series.get(key);
    if (series === undefined || now - series.last > seriesTime)
      series = this.#newSeries(event, now);
    series.count++;
    series.last = now;
    remember(this.#series, { key, value: series });
    this.#enqueue(series);
  }

  /** Sends recorded events until the signal aborts. Those that wait then are dropped. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const series = this.#queue.shift();
      if (series === undefined) await this.#somethingRecorded(signal);
      else await this.#deliver(series, signal);
    }
    this.#options.metrics.eventsDropped(this.#queue.splice(0).length);
  }

  #newSeries(event: KubeEvent, now: number): Series {
    // The namespace of events about objects without one.
    const namespace = event.regarding.namespace === '' ? 'default' : event.regarding.namespace;
    return {
      event,
      path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
      name: `${event.regarding.name.slice(0, 200)}.${randomBytes(8).toString('hex')}`,
      first: now,
      last: now,
      count: 0,
      sent: 0,
      isQueued: false,
    };
  }

  #takeToken({ kind, namespace, name }: EventSubject, now: number): boolean {
    const key = `${kind} ${namespace}/${name}`;
    const { count, time } = this.#tokens.get(key) ?? { count: burst, time: now };
    const available = Math.min(burst, count + (now - time) / refillTime);
    remember(this.#tokens, { key, value: { count: Math.max(0, available - 1), time: now } });
    return available >= 1;
  }

  #enqueue(series: Series): void {
    if (series.isQueued) return;
    if (this.#queue.length >= queueLimit) {
      const dropped = this.#queue.shift();
      if (dropped !== undefined) dropped.isQueued = false;
      this.#options.metrics.eventsDropped(1);
    }
    series.isQueued = true;
    this.#queue.push(series);
    this.#wake();
  }

  async #somethingRecorded(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        this.#wake = () => {};
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }

  async #deliver(series: Series, signal: AbortSignal): Promise<void> {
    const { clock, metrics, log, random = Math.random } = this.#options;
    const backoff = new Backoff({ random, first: seconds(2), last: seconds(30) });
    series.isQueued = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#send(series, signal);
      } catch (error) {
        const isHopeless = error instanceof ApiError && error.status < 500 && error.status !== 429;
        if (isHopeless || attempt === tries || signal.aborted) {
          metrics.eventsDropped(1);
          const { reason, regarding } = series.event;
          log.info('an event could not be written', {
            reason,
            object: regarding.name,
            error: String(error),
          });
          return;
        }
        await sleep(clock, backoff.next(askedPause(error)), signal);
      }
    }
  }

  async #send(series: Series, signal: AbortSignal): Promise<void> {
    const { client } = this.#options;
    const { count } = series;
    if (series.sent > 0) {
      const body = { series: { count, lastObservedTime: microTime(series.last) } };
      await client.patch(`${series.path}/${series.name}`, body, { signal });
    } else await client.post(series.path, this.#body(series), { signal });
    series.sent = count;
  }

  #body({ event, name, first, last, count }: Series): unknown {
    const { regarding, type, reason, action, note } = event;
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace: regarding.namespace === '' ? 'default' : regarding.namespace },
      eventTime: microTime(first),
      ...(count > 1 && { series: { count, lastObservedTime: microTime(last) } }),
      reportingController: 'kube-proxy',
      reportingInstance: `kube-proxy-${this.#options.hostName}`.slice(0, instanceLimit),
      regarding: Object.fromEntries(Object.entries(regarding).filter(([, value]) => value !== '')),
      type,
      reason,
      action,
      note,
    };
  }
}

/** An event about this node. It has no uid, as in upstream since v1.36. */
export function nodeEvent(
  nodeName: string,
  what: Pick<KubeEvent, 'type' | 'reason' | 'note'>,
): KubeEvent {
  const regarding = {
    kind: 'Node',
    apiVersion: 'v1',
    namespace: '',
    name: nodeName,
    uid: '',
  };
  return { regarding, action: 'StartKubeProxy', ...what };
}

/** The event of a start. */
export function startingEvent(nodeName: string): KubeEvent {
  return nodeEvent(nodeName, { type: 'Normal', reason: 'Starting', note: '' });
}

/** Cuts a note to what the API takes. A UTF-16 unit has at most three bytes. */
function shortNote(note: string): string {
  return Buffer.byteLength(note) <= noteLimit ? note : shorten(note, Math.floor(noteLimit / 3));
}

/** RFC 3339 with microseconds, as the API requires. */
function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z');
}

/** Sets a key as the newest, and drops the oldest if there are too many. */
function remember<Value>(
  map: Map<string, Value>,
  { key, value }: { key: string; value: Value },
): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > memoryLimit && oldest !== undefined) map.delete(oldest);
}
