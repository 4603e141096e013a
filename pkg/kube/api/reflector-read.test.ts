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

describe('reading all as a stream', () => {
  test('asks for initial events, and goes on as a watch', async () => {
    const call = await stand.reading({ labelSelector: '!x', fieldSelector: 'a!=b' });
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
    expect(stand.reported).toEqual(['+a']);
    call.send(initialEnd(10));
    call.send(modified('a', 11), deleted('a', 12), bookmark(20));
    expect(stand.reported).toEqual(['+a', 'synced', '+a', '-ns/a']);
    await stand.clock.advance(seconds(1));
    call.end();
    expect((await stand.client.call()).query).toMatchObject({
      resourceVersion: '20',
      watch: 'true',
      allowWatchBookmarks: 'true',
    });
    expect(stand.counted).toEqual(['stream']);
  });

  test.each([400, 403, 422])(
    'falls back to one list on %d, and remembers that for ten minutes',
    async (status) => {
      (await stand.reading()).fail(api(status));
      const list = await stand.client.call();
      expect(list).toMatchObject({ type: 'list', query: { resourceVersion: '0' } });
      answer(list, { version: 10, objects: [object('a', 7)] });
      const watch = await stand.client.call();
      expect(watch.query).toMatchObject({ watch: 'true', resourceVersion: '10' });
      expect(stand.reported).toEqual(['+a', 'synced']);
      expect(stand.counted).toEqual([`${status}`, 'list']);
      stand.stop();
      await stand.clock.advance(seconds(599));
      expect(stand.streaming.isExpected()).toBe(false);
      await stand.clock.advance(seconds(1));
      expect(stand.streaming.isExpected()).toBe(true);
    },
  );

  test('that is refused is not tried again, even if the list fails', async () => {
    (await stand.reading()).fail(api(422));
    (await stand.client.call()).fail(api(500));
    expect(await stand.retry()).toMatchObject({ type: 'list' });
  });

  test('that ends before it is complete falls back to a list no older than what was seen', async () => {
    const stream = await stand.reading();
    stream.send(added('a', 7), added('gone', 12), added('b', 9));
    stream.end();
    const list = await stand.client.call();
    expect(list).toMatchObject({ type: 'list', query: { resourceVersion: '12' } });
    answer(list, { version: 13, objects: [object('a', 7)] });
    await stand.client.call();
    expect(stand.reported).toEqual(['+a', '+gone', '+b', '+a', '-ns/gone', '-ns/b', 'synced']);
    expect(stand.streaming.isExpected()).toBe(false);
  });

  test.each([
    ['is cut', (call: FakeCall) => call.fail(cut())],
    ['sends an error', (call: FakeCall) => call.send(errorEvent(500))],
    ['sends a bookmark that marks no end', (call: FakeCall) => call.send(bookmark(8))],
  ])('that %s before it is complete falls back to a list', async (_name, happen) => {
    const stream = await stand.reading();
    stream.send(added('a', 7));
    happen(stream);
    expect(await stand.client.call()).toMatchObject({
      type: 'list',
      query: { resourceVersion: '7' },
    });
  });

  test('falls back to a list after ten seconds without an event, not while events come', async () => {
    const stream = await stand.reading();
    await stand.clock.advance(seconds(9));
    stream.send(added('a', 7));
    await stand.clock.advance(seconds(9.9));
    expect(stream.isAborted()).toBe(false);
    await stand.clock.advance(seconds(0.1));
    expect(stream.isAborted()).toBe(true);
    expect(await stand.client.call()).toMatchObject({ type: 'list' });
  });

  test('is tried again, and no list, when there was no answer at all', async () => {
    (await stand.reading()).fail(cut());
    const call = await stand.retry();
    expect(call.query).toMatchObject({ sendInitialEvents: 'true' });
    expect(stand.streaming.isExpected()).toBe(true);
  });

  test('is not given up for ten minutes when the list fails too', async () => {
    const stream = await stand.reading();
    stream.send(added('a', 7));
    stream.fail(cut());
    (await stand.client.call()).fail(cut());
    const call = await stand.retry();
    expect(call.query).toMatchObject({ sendInitialEvents: 'true', resourceVersion: '7' });
  });

  test('deletes what an event of it deletes only at its end', async () => {
    const first = await stand.watching();
    first.send(errorEvent(410));
    const call = await stand.retry();
    call.send(added('a', 7), added('b', 9), deleted('b', 11));
    expect(stand.reported).toEqual(['+a', '+b']);
    call.send(initialEnd(12));
    expect(stand.reported).toEqual(['+a', '+b', '-ns/b']);
  });
});

describe('reading all as a list', () => {
  test('uses version 0 only the very first time, later the last version seen', async () => {
    const list = await stand.listing();
    expect(list.query).toEqual({ resourceVersion: '0' });
    answer(list, { version: 10, objects: [object('a', 7)] });
    const watch = await stand.client.call();
    watch.send(bookmark(30), errorEvent(410));
    const call = await stand.retry();
    expect(call).toMatchObject({ type: 'list', query: { resourceVersion: '30' } });
  });

  test.each([
    ['410', api(410, { reason: 'Expired' })],
    [
      'a version that is too large',
      api(504, { reason: 'Timeout', causes: ['ResourceVersionTooLarge'] }),
    ],
  ])('answered with %s takes whatever version there is', async (_name, error) => {
    const list = await stand.listing();
    list.send(object('a', 7));
    list.fail(cut());
    const second = await stand.retry();
    expect(second.query).toEqual({ resourceVersion: '7' });
    second.fail(error);
    const third = await stand.retry();
    expect(third.query).toEqual({});
    third.end({ resourceVersion: '3' });
    expect((await stand.client.call()).query).toMatchObject({ resourceVersion: '3' });
    expect(stand.reported).toEqual(['+a', '-ns/a', 'synced']);
  });

  test('that breaks off deletes nothing', async () => {
    const list = await stand.listing();
    answer(list, { version: 10, objects: [object('a', 7), object('b', 8)] });
    (await stand.client.call()).send(errorEvent(410));
    const second = await stand.retry();
    second.send(object('a', 7));
    second.fail(cut());
    const third = await stand.retry();
    expect(stand.reported).toEqual(['+a', '+b', 'synced', '+a']);
    answer(third, { version: 12, objects: [object('a', 7), object('c', 11)] });
    (await stand.client.call()).open();
    await stand.clock.advance(seconds(2));
    expect(stand.reported.slice(4)).toEqual(['+a', '+c', '-ns/b']);
    expect(stand.currency).toEqual([false, true]);
  });
});

describe('a field selector that only saves work', () => {
  test('is dropped at once when the server refuses it', async () => {
    const selector = { fieldSelector: 'spec.clusterIP!=None', isFieldSelectorOptional: true };
    (await stand.reading(selector)).fail(api(400));
    const call = await stand.client.call();
    expect(call.query).toMatchObject({ sendInitialEvents: 'true' });
    expect(call.query['fieldSelector']).toBeUndefined();
  });

  test('is kept where it is needed', async () => {
    (await stand.reading({ fieldSelector: 'metadata.name=n1' })).fail(api(400));
    expect(await stand.client.call()).toMatchObject({
      type: 'list',
      query: { fieldSelector: 'metadata.name=n1' },
    });
  });
});
