import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  answer,
  api,
  cut,
  events,
  object,
  ReflectorStand,
} from '../../../test/support/kube/reflector-stand.ts';
import { seconds } from '../../runner/clock.ts';
import type { FakeCall } from './fake-client.ts';

const { added, bookmark, deleted, errorEvent, initialEnd, modified } = events;

let stand: ReflectorStand;

beforeEach(() => void (stand = new ReflectorStand()));
afterEach(() => stand.end());

describe('watching', () => {
  test('is opened again at once from the last version when it ends normally', async () => {
    const watch = await stand.watching();
    watch.send(bookmark(42));
    watch.end();
    const before = stand.clock.now();
    const next = await stand.client.call();
    expect(stand.clock.now()).toBe(before);
    expect(next.query).toMatchObject({ resourceVersion: '42' });
    expect(next.query['sendInitialEvents']).toBeUndefined();
    expect(stand.log).toEqual([]);
  });

  test.each<[string, (call: FakeCall) => void]>([
    ['nothing', () => {}],
    ['a bookmark', (call) => call.send(bookmark(11))],
    ['an event', (call) => call.send(modified('a', 11))],
  ])(
    'that ends within a second with %s in it is followed by a growing pause',
    async (_name, happen) => {
      (await stand.watching()).end();
      const end = async (call: FakeCall) => {
        happen(call);
        await stand.clock.advance(900);
        call.end();
      };
      const { waits } = await stand.repeated(5, { first: await stand.retry(), end });
      expect(waits).toEqual([300, 600, 1200, 2400, 4800]);
    },
  );

  test('starts anew at once after a 410, whatever failed before it', async () => {
    const first = await stand.watching();
    const { call } = await stand.repeated(6, { first, end: (some) => some.fail(cut()) });
    call.send(errorEvent(410));
    const { call: read, waited } = await stand.callWithin(seconds(40));
    expect(read.query).toMatchObject({ sendInitialEvents: 'true' });
    expect(waited).toBe(500);
  });

  test('that answers every version with 410 is no storm', async () => {
    let call = await stand.watching();
    const waits: number[] = [];
    for (let count = 0; count < 6; count++) {
      call.send(errorEvent(410));
      const next = await stand.callWithin(seconds(40));
      waits.push(next.waited);
      next.call.send(added('a', 7), initialEnd(10));
      call = next.call;
    }
    expect(waits).toEqual([500, 500, 300, 600, 1200, 2400]);
  });

  test('backs off longer with every failure, to half a minute, and starts anew after a healthy watch', async () => {
    const first = await stand.watching();
    const { call, waits } = await stand.repeated(9, { first, end: (some) => some.fail(cut()) });
    expect(waits).toEqual([300, 600, 1200, 2400, 4800, 9600, 19200, 22500, 22500]);
    call.open();
    await stand.clock.advance(seconds(10));
    call.fail(cut());
    expect((await stand.callWithin(seconds(40))).waited).toBe(300);
  });

  test.each([
    [429, 7, 7000],
    [503, 2, 2000],
    [429, 0.01, 300],
    [429, 86_400, 300_000],
  ])('after %d with Retry-After of %d s waits %d ms', async (status, retryAfter, waited) => {
    (await stand.watching()).fail(api(status, { retryAfter: seconds(retryAfter) }));
    expect((await stand.callWithin(seconds(400))).waited).toBe(waited);
  });

  test.each([
    ['as a status', (call: FakeCall) => call.fail(api(410, { reason: 'Gone' }))],
    ['as an event', (call: FakeCall) => call.send(errorEvent(410, 'Expired'))],
  ])('reads all anew after 410 %s, and tells the difference', async (_name, happen) => {
    happen(await stand.watching());
    const call = await stand.retry();
    expect(call.query).toMatchObject({ sendInitialEvents: 'true', resourceVersion: '10' });
    call.send(added('b', 20), added('c', 21));
    expect(stand.reported).toEqual(['+b', '+c']);
    call.send(initialEnd(22), modified('c', 23));
    expect(stand.reported).toEqual(['+b', '+c', '+c', '-ns/a']);
  });

  test.each([
    ['500', api(500)],
    ['403', api(403)],
    ['a lost connection', cut()],
  ])('goes on from the last version after %s', async (_name, error) => {
    const watch = await stand.watching();
    watch.send(modified('a', 33));
    watch.fail(error);
    const call = await stand.retry();
    expect(call.query).toMatchObject({ resourceVersion: '33' });
    expect(call.query['sendInitialEvents']).toBeUndefined();
    call.send(deleted('a', 34));
    expect(stand.reported).toEqual(['+a', '-ns/a']);
  });

  test('reads all anew when the server has gone back behind our version', async () => {
    (await stand.watching()).send(bookmark(9));
    const call = await stand.retry();
    expect(call.query).toMatchObject({ sendInitialEvents: 'true', resourceVersion: '10' });
    call.fail(api(504, { causes: ['ResourceVersionTooLarge'] }));
    const next = await stand.callWithin(seconds(1));
    expect(next.call.query['resourceVersion']).toBeUndefined();
    next.call.send(added('a', 3), initialEnd(5));
    await stand.clock.advance(seconds(1));
    next.call.end();
    expect((await stand.client.call()).query).toMatchObject({ resourceVersion: '5' });
  });

  test('that is silent for two minutes is opened anew from its version, and nothing is stale', async () => {
    let watch = await stand.watching();
    watch.send(bookmark(42));
    await stand.clock.advance(seconds(119));
    expect(watch.isAborted()).toBe(false);
    await stand.clock.advance(seconds(1));
    expect(watch.isAborted()).toBe(true);
    watch = await stand.client.call();
    expect(watch.query).toMatchObject({ resourceVersion: '42' });
    watch.open();
    await stand.clock.advance(seconds(3));
    expect({ currency: stand.currency, log: stand.log }).toEqual({ currency: [], log: [] });
    watch.fail(cut());
    await stand.clock.advance(0);
    expect(stand.currency).toEqual([false]);
    await stand.callWithin(seconds(1));
  });

  test('makes the state current again once it was accepted and has lived for two seconds', async () => {
    (await stand.watching()).fail(cut());
    const call = await stand.retry();
    await stand.clock.advance(seconds(5));
    call.send(modified('a', 11));
    await stand.clock.advance(seconds(1.9));
    expect(stand.currency).toEqual([false]);
    await stand.clock.advance(seconds(0.1));
    expect(stand.currency).toEqual([false, true]);
  });

  test('asks, when two watches in a row are silent, for one object of the version: nothing changed', async () => {
    const probe = await stand.afterTwoSilences();
    expect(probe).toMatchObject({
      type: 'list',
      query: { limit: '1', resourceVersion: '10', resourceVersionMatch: 'NotOlderThan' },
    });
    answer(probe, { version: 10, objects: [object('a', 7)] });
    const watch = await stand.client.call();
    expect(watch.query).toMatchObject({ watch: 'true', resourceVersion: '10' });
    expect({ reported: stand.reported, currency: stand.currency, log: stand.log }).toEqual({
      reported: [],
      currency: [],
      log: [],
    });
  });

  test.each([
    ['says so', (call: FakeCall) => call.fail(api(504, { causes: ['ResourceVersionTooLarge'] }))],
    ['answers with an older one', (call: FakeCall) => call.end({ resourceVersion: '9' })],
  ])(
    'reads all anew when watches are silent because the server does not have our version and %s',
    async (_name, happen) => {
      happen(await stand.afterTwoSilences());
      expect((await stand.retry()).query).toMatchObject({
        sendInitialEvents: 'true',
      });
    },
  );

  test('reads all anew from any version when the server does not understand ours', async () => {
    (await stand.watching()).fail(api(400));
    const call = await stand.retry();
    expect(call.query).toMatchObject({ sendInitialEvents: 'true' });
    expect(call.query['resourceVersion']).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ['an event of no type', { type: 'WHAT' }],
    ['an event with an endless type', { type: 'X'.repeat(1_000_000) }],
    ['nothing', null],
    ['a Status that is no event', { kind: 'Status', code: 503 }],
    ['an object without a name', { type: 'ADDED', object: { kind: 'Service', metadata: {} } }],
    [
      'an object without a namespace',
      { type: 'ADDED', object: { kind: 'Service', metadata: { name: 'a' } } },
    ],
    [
      'an object of another kind',
      { type: 'MODIFIED', object: { kind: 'Pod', metadata: { namespace: 'ns', name: 'a' } } },
    ],
    [
      'an object of no kind, which is deleted',
      { type: 'DELETED', object: { metadata: { namespace: 'ns', name: 'a' } } },
    ],
    ['a bookmark without a version', { type: 'BOOKMARK', object: { kind: 'Service' } }],
    [
      'a bookmark of another kind',
      { type: 'BOOKMARK', object: { kind: 'Pod', metadata: { resourceVersion: '99' } } },
    ],
  ])('fails at %s, once, and goes on from before', async (_name, line) => {
    (await stand.watching()).send(modified('a', 11), line, line, deleted('a', 12));
    const call = await stand.retry();
    expect(call.query).toMatchObject({ resourceVersion: '11' });
    expect({ reported: stand.reported, counted: stand.counted, lines: stand.log.length }).toEqual({
      reported: ['+a'],
      counted: ['stream', 'malformed'],
      lines: 1,
    });
  });

  test('reports again what could not be reported', async () => {
    let isBroken = false;
    const set = (raw: unknown) => {
      if (isBroken) throw new Error('broken');
      stand.reported.push(`+${(raw as { metadata: { name: string } }).metadata.name}`);
    };
    const handler = {
      set,
      delete() {},
      synced: () => stand.reported.push('synced'),
      confirmed() {},
    };
    const watch = await stand.watching({ handler });
    isBroken = true;
    watch.send(added('c', 11));
    const call = await stand.retry();
    expect(call.query).toMatchObject({ resourceVersion: '10' });
  });

  test('reports a failure once, however often it is repeated, and when it is over', async () => {
    const first = await stand.watching();
    const { call } = await stand.repeated(5, { first, end: (some) => some.fail(cut()) });
    expect(stand.log).toHaveLength(1);
    call.send(bookmark(50));
    await stand.clock.advance(seconds(2));
    expect(stand.log).toEqual([
      'cannot follow every Service, keeping what is known and trying again',
      'following every Service again',
    ]);
    expect(stand.reported).toEqual([]);
  });
});
