import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seconds } from '../runner/clock.ts';
import { type ManualClock, manualClock } from '../runner/manual-clock.ts';
import { ApiError, ConnectionError } from './error.ts';
import { type FakeCall, FakeClient } from './fake-client.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { StreamingSupport } from './streaming.ts';

let clock: ManualClock;
let client: FakeClient;
let streaming: StreamingSupport;
let stop: AbortController;
let running: Promise<void>;
let told: string[];
let log: string[];
let counted: string[];
/** Whether what was told was current, each time that this changed. */
let currency: boolean[];

beforeEach(() => {
  clock = manualClock();
  client = new FakeClient();
  streaming = new StreamingSupport(clock);
  stop = new AbortController();
  told = [];
  log = [];
  counted = [];
  currency = [];
});

afterEach(async () => {
  stop.abort();
  await running;
  expect({ open: client.open, timers: clock.pending(), waiting: client.waiting }).toEqual({
    open: 0,
    timers: 0,
    waiting: 0,
  });
});

function start(options: Partial<ReflectorOptions> = {}): void {
  const say = (message: string) => log.push(message);
  const reflector = new Reflector({
    kind: 'Service',
    path: '/api/v1/services',
    client,
    clock,
    random: () => 0.5,
    streaming,
    log: { info: say, error: say },
    metrics: {
      requested() {},
      listed: (_kind, how) => counted.push(how),
      failed: (_kind, reason) => counted.push(reason),
      eventsDropped() {},
    },
    onCurrent: (isCurrent) => currency.push(isCurrent),
    handler: {
      set: (raw) => told.push(`+${(raw as { metadata: { name: string } }).metadata.name}`),
      delete: ({ namespace, name }) => told.push(`-${namespace}/${name}`),
      synced: () => told.push('synced'),
      malformed: (what) => told.push(`?${what}`),
    },
    ...options,
  });
  running = reflector.run(stop.signal);
}

function object(name: string, version: number): object {
  return { metadata: { namespace: 'ns', name, resourceVersion: `${version}` } };
}

const added = (name: string, version: number) => ({ type: 'ADDED', object: object(name, version) });
const modified = (name: string, version: number) => ({
  type: 'MODIFIED',
  object: object(name, version),
});
const deleted = (name: string, version: number) => ({
  type: 'DELETED',
  object: object(name, version),
});
const bookmark = (version: number) => ({
  type: 'BOOKMARK',
  object: { metadata: { resourceVersion: `${version}` } },
});
const initialEnd = (version: number) => ({
  type: 'BOOKMARK',
  object: {
    metadata: {
      resourceVersion: `${version}`,
      annotations: { 'k8s.io/initial-events-end': 'true' },
    },
  },
});
const errorEvent = (code: number, reason = '') => ({
  type: 'ERROR',
  object: { kind: 'Status', code, reason },
});
const api = (
  status: number,
  more: { reason?: string; retryAfter?: number; causes?: string[] } = {},
) => new ApiError('GET x', { status, ...more });
const cut = () => new ConnectionError('GET x', { reason: 'cut' });

/** The next call, after as much time as it takes; how long that was. */
async function callWithin(limit: number): Promise<{ call: FakeCall; waited: number }> {
  const next = client.call();
  let call: FakeCall | undefined;
  void next.then((value) => (call = value));
  const begin = clock.now();
  await clock.advance(0);
  while (call === undefined && clock.now() - begin < limit) await clock.advance(10);
  if (call === undefined) throw new Error(`no call within ${limit} ms`);
  return { call, waited: clock.now() - begin };
}

/** A reflector that has read `a` and `b` at version 10 and watches. */
async function watching(options: Partial<ReflectorOptions> = {}): Promise<FakeCall> {
  start(options);
  const call = await client.call();
  call.send(added('a', 7), added('b', 9), initialEnd(10));
  expect(told.splice(0)).toEqual(['+a', '+b', 'synced']);
  await clock.advance(seconds(11));
  return call;
}

/** Tells that the server cannot stream, so that lists are used. */
async function listing(): Promise<FakeCall> {
  streaming.avoid();
  start();
  return client.call();
}

describe('reading all as a stream', () => {
  test('asks for initial events, and goes on as a watch', async () => {
    start({ labelSelector: '!x', fieldSelector: 'a!=b' });
    const call = await client.call();
    expect(call).toMatchObject({ type: 'watch', path: '/api/v1/services' });
    expect(call.query).toEqual({
      watch: 'true',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: 'true',
      timeoutSeconds: '450',
      labelSelector: '!x',
      fieldSelector: 'a!=b',
    });
    call.send(added('a', 7));
    expect(told).toEqual(['+a']);
    call.send(initialEnd(10));
    call.send(modified('a', 11), deleted('a', 12), bookmark(20));
    expect(told).toEqual(['+a', 'synced', '+a', '-ns/a']);
    call.end();
    expect((await client.call()).query).toMatchObject({
      resourceVersion: '20',
      watch: 'true',
      allowWatchBookmarks: 'true',
    });
    expect(counted).toEqual(['stream']);
  });

  test.each([400, 403, 422])(
    'falls back to one list on %d, and remembers that for ten minutes',
    async (status) => {
      start();
      (await client.call()).fail(api(status));
      const list = await client.call();
      expect(list).toMatchObject({ type: 'list', query: { resourceVersion: '0' } });
      list.send(object('a', 7));
      list.end({ resourceVersion: '10' });
      const watch = await client.call();
      expect(watch.query).toMatchObject({ watch: 'true', resourceVersion: '10' });
      expect(told).toEqual(['+a', 'synced']);
      expect(counted).toEqual([`${status}`, 'list']);
      await clock.advance(seconds(599));
      expect(streaming.isExpected()).toBe(false);
      await clock.advance(seconds(1));
      expect(streaming.isExpected()).toBe(true);
    },
  );

  test('that is refused is not tried again, even if the list fails', async () => {
    start();
    (await client.call()).fail(api(422));
    (await client.call()).fail(api(500));
    expect((await callWithin(seconds(1))).call).toMatchObject({ type: 'list' });
  });

  test('that ends before it is complete falls back to a list no older than what was seen', async () => {
    start();
    const stream = await client.call();
    stream.send(added('a', 7), added('gone', 12), added('b', 9));
    stream.end();
    const list = await client.call();
    expect(list).toMatchObject({ type: 'list', query: { resourceVersion: '12' } });
    list.send(object('a', 7));
    list.end({ resourceVersion: '13' });
    await client.call();
    expect(told).toEqual(['+a', '+gone', '+b', '+a', '-ns/gone', '-ns/b', 'synced']);
    expect(streaming.isExpected()).toBe(false);
  });

  test.each([
    ['is cut', (call: FakeCall) => call.fail(cut())],
    ['sends an error', (call: FakeCall) => call.send(errorEvent(500))],
    ['sends a bookmark that marks no end', (call: FakeCall) => call.send(bookmark(8))],
  ])('that %s before it is complete falls back to a list', async (_name, happen) => {
    start();
    const stream = await client.call();
    stream.send(added('a', 7));
    happen(stream);
    expect(await client.call()).toMatchObject({ type: 'list', query: { resourceVersion: '7' } });
  });

  test('falls back to a list after ten seconds without an event, not while events come', async () => {
    start();
    const stream = await client.call();
    await clock.advance(seconds(9));
    stream.send(added('a', 7));
    await clock.advance(seconds(9.9));
    expect(stream.isAborted()).toBe(false);
    await clock.advance(seconds(0.1));
    expect(stream.isAborted()).toBe(true);
    expect(await client.call()).toMatchObject({ type: 'list' });
  });

  test('is tried again, and no list, when there was no answer at all', async () => {
    start();
    (await client.call()).fail(cut());
    const { call } = await callWithin(seconds(1));
    expect(call.query).toMatchObject({ sendInitialEvents: 'true' });
    expect(streaming.isExpected()).toBe(true);
  });

  test('is not given up for ten minutes when the list fails too', async () => {
    start();
    const stream = await client.call();
    stream.send(added('a', 7));
    stream.fail(cut());
    (await client.call()).fail(cut());
    const { call } = await callWithin(seconds(1));
    expect(call.query).toMatchObject({ sendInitialEvents: 'true', resourceVersion: '7' });
  });

  test('deletes what an event of it deletes only at its end', async () => {
    const first = await watching();
    first.send(errorEvent(410));
    const { call } = await callWithin(seconds(1));
    call.send(added('a', 7), added('b', 9), deleted('b', 11));
    expect(told).toEqual(['+a', '+b']);
    call.send(initialEnd(12));
    expect(told).toEqual(['+a', '+b', '-ns/b']);
  });
});

describe('reading all as a list', () => {
  test('uses version 0 only the very first time, later the last version seen', async () => {
    const list = await listing();
    expect(list.query).toEqual({ resourceVersion: '0' });
    list.send(object('a', 7));
    list.end({ resourceVersion: '10' });
    const watch = await client.call();
    watch.send(bookmark(30), errorEvent(410));
    const { call } = await callWithin(seconds(1));
    expect(call).toMatchObject({ type: 'list', query: { resourceVersion: '30' } });
  });

  test.each([
    ['410', api(410, { reason: 'Expired' })],
    [
      'a version that is too large',
      api(504, { reason: 'Timeout', causes: ['ResourceVersionTooLarge'] }),
    ],
  ])('answered with %s takes whatever version there is', async (_name, error) => {
    const list = await listing();
    list.send(object('a', 7));
    list.fail(cut());
    const second = (await callWithin(seconds(1))).call;
    expect(second.query).toEqual({ resourceVersion: '7' });
    second.fail(error);
    const third = (await callWithin(seconds(1))).call;
    expect(third.query).toEqual({});
    third.end({ resourceVersion: '3' });
    expect((await client.call()).query).toMatchObject({ resourceVersion: '3' });
    expect(told).toEqual(['+a', '-ns/a', 'synced']);
  });

  test('that breaks off deletes nothing', async () => {
    const list = await listing();
    list.send(object('a', 7), object('b', 8));
    list.end({ resourceVersion: '10' });
    (await client.call()).send(errorEvent(410));
    const second = (await callWithin(seconds(1))).call;
    second.send(object('a', 7));
    second.fail(cut());
    const third = (await callWithin(seconds(1))).call;
    expect(told).toEqual(['+a', '+b', 'synced', '+a']);
    third.send(object('a', 7), object('c', 11));
    third.end({ resourceVersion: '12' });
    await client.call();
    expect(told.slice(4)).toEqual(['+a', '+c', '-ns/b']);
    expect(currency).toEqual([false, true]);
  });
});

describe('watching', () => {
  test('is opened again at once from the last version when it ends normally', async () => {
    const watch = await watching();
    watch.send(bookmark(42));
    watch.end();
    const before = clock.now();
    const next = await client.call();
    expect(clock.now()).toBe(before);
    expect(next.query).toMatchObject({ resourceVersion: '42' });
    expect(next.query['sendInitialEvents']).toBeUndefined();
    expect(log).toEqual([]);
  });

  test('backs off when it ends as soon as it began', async () => {
    (await watching()).end();
    (await client.call()).end();
    expect((await callWithin(seconds(1))).waited).toBeGreaterThanOrEqual(200);
  });

  test('backs off longer with every failure, to half a minute, and starts anew after a healthy watch', async () => {
    let watch = await watching();
    const waits: number[] = [];
    for (let count = 0; count < 9; count++) {
      watch.fail(cut());
      const next = await callWithin(seconds(40));
      waits.push(next.waited);
      watch = next.call;
    }
    expect(waits).toEqual([300, 600, 1200, 2400, 4800, 9600, 19200, 22500, 22500]);
    await clock.advance(seconds(10));
    watch.fail(cut());
    expect((await callWithin(seconds(40))).waited).toBe(300);
  });

  test.each([
    [429, 7, 7000],
    [503, 2, 2000],
    [429, 0.01, 300],
    [429, 86_400, 300_000],
  ])('after %d with Retry-After of %d s waits %d ms', async (status, retryAfter, waited) => {
    (await watching()).fail(api(status, { retryAfter: seconds(retryAfter) }));
    expect((await callWithin(seconds(400))).waited).toBe(waited);
  });

  test.each([
    ['as a status', (call: FakeCall) => call.fail(api(410, { reason: 'Gone' }))],
    ['as an event', (call: FakeCall) => call.send(errorEvent(410, 'Expired'))],
  ])('reads all anew after 410 %s, and tells the difference', async (_name, happen) => {
    happen(await watching());
    const { call } = await callWithin(seconds(1));
    expect(call.query).toMatchObject({ sendInitialEvents: 'true', resourceVersion: '10' });
    call.send(added('b', 20), added('c', 21));
    expect(told).toEqual(['+b', '+c']);
    call.send(initialEnd(22), modified('c', 23));
    expect(told).toEqual(['+b', '+c', '-ns/a', '+c']);
  });

  test.each([
    ['500', api(500)],
    ['403', api(403)],
    ['a lost connection', cut()],
  ])('goes on from the last version after %s', async (_name, error) => {
    const watch = await watching();
    watch.send(modified('a', 33));
    watch.fail(error);
    const { call } = await callWithin(seconds(1));
    expect(call.query).toMatchObject({ resourceVersion: '33' });
    expect(call.query['sendInitialEvents']).toBeUndefined();
    call.send(deleted('a', 34));
    expect(told).toEqual(['+a', '-ns/a']);
  });

  test('reads all anew when the server has gone back behind our version', async () => {
    (await watching()).send(bookmark(9));
    const { call } = await callWithin(seconds(1));
    expect(call.query).toMatchObject({ sendInitialEvents: 'true', resourceVersion: '10' });
    call.fail(api(504, { causes: ['ResourceVersionTooLarge'] }));
    const next = await callWithin(seconds(1));
    expect(next.call.query['resourceVersion']).toBeUndefined();
    next.call.send(added('a', 3), initialEnd(5));
    next.call.end();
    expect((await client.call()).query).toMatchObject({ resourceVersion: '5' });
  });

  test('reads all anew when two watches in a row fell silent', async () => {
    (await watching()).fail(cut());
    for (const resourceVersion of ['10', '10']) {
      const { call } = await callWithin(seconds(1));
      expect(call.query).toMatchObject({ resourceVersion });
      expect(call.query['sendInitialEvents']).toBeUndefined();
      await clock.advance(seconds(120));
      call.fail(cut());
    }
    expect((await callWithin(seconds(1))).call.query).toMatchObject({ sendInitialEvents: 'true' });
  });

  test('reads all anew from any version when the server does not understand ours', async () => {
    (await watching()).fail(api(400));
    const { call } = await callWithin(seconds(1));
    expect(call.query).toMatchObject({ sendInitialEvents: 'true' });
    expect(call.query['resourceVersion']).toBeUndefined();
  });

  test('tells what makes no sense and goes on', async () => {
    (await watching()).send(
      { type: 'ADDED', object: {} },
      { type: 'WHAT' },
      null,
      added('c', 11),
      deleted('never', 12),
    );
    expect(told).toEqual([
      '?an object without a name',
      '?an event of type "WHAT"',
      '?an event of type undefined',
      '+c',
    ]);
  });

  test('tells again what could not be told', async () => {
    let isBroken = false;
    const set = (raw: unknown) => {
      if (isBroken) throw new Error('broken');
      told.push(`+${(raw as { metadata: { name: string } }).metadata.name}`);
    };
    const handler = { set, delete() {}, synced: () => told.push('synced'), malformed() {} };
    const watch = await watching({ handler });
    isBroken = true;
    watch.send(added('c', 11));
    const { call } = await callWithin(seconds(1));
    expect(call.query).toMatchObject({ resourceVersion: '10' });
  });

  test('tells a failure once, however often it is repeated, and when it is over', async () => {
    let watch = await watching();
    for (let count = 0; count < 5; count++) {
      watch.fail(cut());
      watch = (await callWithin(seconds(40))).call;
    }
    expect(log).toHaveLength(1);
    watch.send(bookmark(50));
    expect(log).toEqual([
      'cannot follow every Service, keeping what is known and trying again',
      'following every Service again',
    ]);
    expect(told).toEqual([]);
  });
});

describe('a field selector that only saves work', () => {
  test('is dropped at once when the server refuses it', async () => {
    start({ fieldSelector: 'spec.clusterIP!=None', isFieldSelectorOptional: true });
    (await client.call()).fail(api(400));
    const call = await client.call();
    expect(call.query).toMatchObject({ sendInitialEvents: 'true' });
    expect(call.query['fieldSelector']).toBeUndefined();
  });

  test('is kept where it is needed', async () => {
    start({ fieldSelector: 'metadata.name=n1' });
    (await client.call()).fail(api(400));
    expect(await client.call()).toMatchObject({
      type: 'list',
      query: { fieldSelector: 'metadata.name=n1' },
    });
  });
});
