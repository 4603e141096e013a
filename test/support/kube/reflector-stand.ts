import { expect } from 'vitest';
import { ApiError, ConnectionError } from '../../../pkg/kube/api/error.ts';
import { type FakeCall, FakeClient } from '../../../pkg/kube/api/fake-client.ts';
import { Reflector, type ReflectorOptions } from '../../../pkg/kube/api/reflector.ts';
import type { ReflectorState } from '../../../pkg/kube/api/reflector-state.ts';
import { StreamingSupport } from '../../../pkg/kube/api/streaming.ts';
import { noMetrics } from '../../../pkg/kube/metrics.ts';
import { seconds } from '../../../pkg/runner/clock.ts';
import { manualClock } from '../../../pkg/runner/manual-clock.ts';

/** After so long without an event a watch is given up. */
const silence = seconds(120);

/** A reflector of Services over a client whose answers a test gives, and what it reported. */
export class ReflectorStand {
  readonly clock = manualClock();
  readonly client = new FakeClient();
  readonly streaming = new StreamingSupport(this.clock);
  readonly reported: string[] = [];
  readonly log: string[] = [];
  /** How all was read, and why something failed. */
  readonly counted: string[] = [];
  /** How watches ended. */
  readonly ends: string[] = [];
  /** Whether what was reported was current, each time that this changed. */
  readonly currency: boolean[] = [];
  /** How many deletions wait for a second read, each time that this changed. */
  readonly unconfirmed: number[] = [];
  readonly #stop = new AbortController();
  #reflector: Reflector | undefined;
  #running: Promise<void> | undefined;

  start(options: Partial<ReflectorOptions> = {}): void {
    const say = (message: string) => this.log.push(message);
    this.#reflector = new Reflector({
      kind: 'Service',
      path: '/api/v1/services',
      client: this.client,
      clock: this.clock,
      random: () => 0.5,
      streaming: this.streaming,
      log: { info: say, error: say },
      metrics: {
        ...noMetrics,
        listed: (_kind, how) => this.counted.push(how),
        failed: (_kind, reason) => this.counted.push(reason),
        watchEnded: (_kind, end) => this.ends.push(end),
        unconfirmed: (_kind, count) => this.unconfirmed.push(count),
      },
      onCurrent: (isCurrent) => this.currency.push(isCurrent),
      handler: {
        set: (raw) =>
          this.reported.push(`+${(raw as { metadata: { name: string } }).metadata.name}`),
        delete: ({ namespace, name }) => this.reported.push(`-${namespace}/${name}`),
        synced: () => this.reported.push('synced'),
        confirmed: () => this.reported.push('confirmed'),
      },
      ...options,
    });
    this.#running = this.#reflector.run(this.#stop.signal);
  }

  confirm(): void {
    this.#reflector?.confirm();
  }

  /** The state that the reflector reports of itself. */
  get state(): ReflectorState | undefined {
    return this.#reflector?.state;
  }

  /** A reflector that has read `a` and `b` at version 10 and watches. */
  async watching(options: Partial<ReflectorOptions> = {}): Promise<FakeCall> {
    this.start(options);
    const call = await this.client.call();
    call.send(added('a', 7), added('b', 9), initialEnd(10));
    expect(this.reported.splice(0)).toEqual(['+a', '+b', 'synced']);
    await this.clock.advance(seconds(11));
    return call;
  }

  /** A reflector that has begun to read all as a stream. */
  async reading(options: Partial<ReflectorOptions> = {}): Promise<FakeCall> {
    this.start(options);
    return this.client.call();
  }

  /** Two watches in a row of a reflector that watches hear nothing; what it asks for then. */
  async afterTwoSilences(): Promise<FakeCall> {
    await this.watching();
    await this.clock.advance(silence);
    (await this.client.call()).open();
    await this.clock.advance(silence);
    return this.client.call();
  }

  /** Tells that the server cannot stream, so that lists are used; the first list. */
  async listing(options: Partial<ReflectorOptions> = {}): Promise<FakeCall> {
    this.streaming.avoid();
    return this.reading(options);
  }

  /** The next call after a failure. The pause before it is less than a second. */
  async retry(): Promise<FakeCall> {
    return (await this.callWithin(seconds(1))).call;
  }

  /** Ends call after call in one way, so many times; how long the reflector waited before each next one, and the last of them. */
  async repeated(
    times: number,
    { first, end }: { first: FakeCall; end: (call: FakeCall) => unknown },
  ): Promise<{ call: FakeCall; waits: readonly number[] }> {
    const waits: number[] = [];
    let call = first;
    for (let count = 0; count < times; count++) {
      await end(call);
      const next = await this.callWithin(seconds(40));
      waits.push(next.waited);
      ({ call } = next);
    }
    return { call, waits };
  }

  /** The next call, after as much time as it takes; how long that was. */
  async callWithin(limit: number): Promise<{ call: FakeCall; waited: number }> {
    const { clock } = this;
    let call: FakeCall | undefined;
    void this.client.call().then((value) => (call = value));
    const begin = clock.now();
    await clock.advance(0);
    while (call === undefined && clock.now() - begin < limit) await clock.advance(10);
    if (call === undefined) throw new Error(`no call within ${limit} ms`);
    return { call, waited: clock.now() - begin };
  }

  /** Stops following. */
  stop(): void {
    this.#stop.abort();
  }

  /** Stops, and proves that nothing is left open. */
  async end(): Promise<void> {
    this.stop();
    await this.#running;
    const { client, clock } = this;
    const left = { open: client.open, timers: clock.pending(), waiting: client.waiting };
    expect(left).toEqual({ open: 0, timers: 0, waiting: 0 });
  }
}

/** An object of the API with nothing in it. */
export function object(name: string, version: number, kind = 'Service'): object {
  const [namespace, own = ''] = name.includes('/') ? name.split('/') : ['ns', name];
  return { kind, metadata: { namespace, name: own, resourceVersion: `${version}` } };
}

/** Answers a list with objects and its version. */
export function answer(
  list: FakeCall,
  { version, objects }: { version: number; objects: readonly object[] },
): void {
  list.send(...objects);
  list.end({ resourceVersion: `${version}` });
}

/** An event of an object that is new. */
function added(name: string, version: number): object {
  return { type: 'ADDED', object: object(name, version) };
}

/** An event of an object that changed. */
function modified(name: string, version: number): object {
  return { type: 'MODIFIED', object: object(name, version) };
}

/** An event of an object that is gone. */
function deleted(name: string, version: number): object {
  return { type: 'DELETED', object: object(name, version) };
}

/** An ordinary bookmark. */
function bookmark(version: number): object {
  const metadata = { resourceVersion: `${version}` };
  return { type: 'BOOKMARK', object: { kind: 'Service', metadata } };
}

/** The bookmark that ends the initial events. */
function initialEnd(version: number): object {
  const annotations = { 'k8s.io/initial-events-end': 'true' };
  const metadata = { resourceVersion: `${version}`, annotations };
  return { type: 'BOOKMARK', object: { kind: 'Service', metadata } };
}

/** The event with which the server ends a watch. */
function errorEvent(code: number, reason = ''): object {
  return { type: 'ERROR', object: { kind: 'Status', code, reason } };
}

/** An answer of the server that is no success. */
export function api(
  status: number,
  more: { reason?: string; retryAfter?: number; causes?: string[] } = {},
): ApiError {
  return new ApiError('GET x', { status, ...more });
}

/** A connection that was lost. */
export function cut(): ConnectionError {
  return new ConnectionError('GET x', { reason: 'cut' });
}

/** Every kind of event of a watch. */
export const events = { added, modified, deleted, bookmark, initialEnd, errorEvent };
