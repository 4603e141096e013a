import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  api,
  cut,
  events,
  object,
  ReflectorStand,
} from '../../../test/support/kube/reflector-stand.ts';
import { seconds } from '../../runner/clock.ts';
import type { Kind } from '../types.ts';
import type { FakeCall } from './fake-client.ts';

const { added, deleted, modified } = events;

let stand: ReflectorStand;
let kind: Kind;

beforeEach(() => {
  stand = new ReflectorStand();
  kind = 'Service';
});

afterEach(() => stand.end());

/** Names of objects: `a0` and so on. */
const some = (count: number, letter = 'a') =>
  Array.from({ length: count }, (_, index) => `${letter}${index}`);

const deletions = () => stand.reported.filter((text) => text.startsWith('-')).length;
const paths = { Service: '/services', EndpointSlice: '/endpointslices', Node: '/nodes' } as const;

/** A reflector that knows some objects. Returns the watch that follows the list. */
async function following(...names: readonly string[]): Promise<FakeCall> {
  const list = await stand.listing({ kind, path: paths[kind] });
  return listed(list, ...names);
}

/** Answers a list. Returns the watch that follows. */
async function listed(list: FakeCall, ...names: readonly string[]): Promise<FakeCall> {
  answer(list, names);
  const watch = await stand.client.call();
  watch.open();
  await stand.clock.advance(seconds(2));
  stand.reported.length = 0;
  return watch;
}

function answer(list: FakeCall, names: readonly string[]): void {
  list.send(...names.map((name) => object(name, 1, kind)));
  list.end({ resourceVersion: '10' });
}

/** Answers when everything is read again. Returns the watch that follows. */
async function relisted(watch: FakeCall, ...names: readonly string[]): Promise<FakeCall> {
  watch.fail(api(410));
  await stand.clock.advance(seconds(0.5));
  return listed(await stand.client.call(), ...names);
}

/** Waits for the second read. */
async function secondRead(): Promise<FakeCall> {
  await stand.clock.advance(seconds(13));
  return stand.client.call();
}

describe('a complete read that leaves out much', () => {
  test.each([
    ['20 of 30', 30, 10, 20],
    ['21 of 42', 42, 21, 21],
    ['all of 20', 20, 0, 20],
  ])('but no more than half or 20 (%s) is believed', async (_name, before, after, gone) => {
    const watch = await following(...some(before));
    watch.fail(api(410));
    await stand.clock.advance(seconds(0.5));
    answer(await stand.client.call(), some(after));
    await stand.client.call();
    expect(deletions()).toBe(gone);
    expect(stand.unconfirmed).toEqual([]);
  });

  test('is not: what it brings is reported, what it leaves out stays until a second read', async () => {
    const watch = await following(...some(41));
    watch.fail(api(410));
    await stand.clock.advance(seconds(0.5));
    answer(await stand.client.call(), [...some(20), 'new']);
    (await stand.client.call()).open();
    expect(stand.reported).toContain('+new');
    expect(deletions()).toBe(0);
    expect(stand.unconfirmed).toEqual([21]);
    expect(stand.log.filter((line) => line.includes('not believing'))).toHaveLength(1);
    await stand.clock.advance(seconds(14.9));
    expect(stand.client.waiting).toBe(0);
    expect(stand.currency).toEqual([false]);
    await stand.clock.advance(seconds(0.1));
    const second = await stand.client.call();
    expect(second).toMatchObject({ type: 'list', ownConnection: true });
    expect(second.query).toEqual({ resourceVersion: '10' });
    answer(second, [...some(20), 'a40', 'new']);
    await stand.clock.advance(0);
    expect(deletions()).toBe(20);
    expect(stand.reported.slice(-22)).toEqual([
      '+a40',
      ...some(40)
        .slice(20)
        .map((name) => `-ns/${name}`),
      'confirmed',
    ]);
    expect({ unconfirmed: stand.unconfirmed, currency: stand.currency }).toEqual({
      unconfirmed: [21, 0],
      currency: [false, true],
    });
  });

  test('is not made less by what it brings: another cluster answered', async () => {
    const watch = await relisted(await following(...some(30)), ...some(60, 'other'));
    expect(deletions()).toBe(0);
    expect(stand.unconfirmed).toEqual([30]);
    expect(watch.isAborted()).toBe(false);
  });

  test('and goes on to be much is believed the second time, whatever else differs', async () => {
    await relisted(await following(...some(50)));
    expect(deletions()).toBe(0);
    answer(await secondRead(), some(3, 'other'));
    await stand.clock.advance(0);
    expect(deletions()).toBe(50);
    expect(stand.reported.filter((text) => text.startsWith('+'))).toEqual(
      some(3, 'other').map((name) => `+${name}`),
    );
  });

  test.each<[Kind, number]>([
    ['Service', 0],
    ['EndpointSlice', 0],
    ['Node', 1],
  ])('of kind %s and default/kubernetes with it waits, except for Nodes', async (one, gone) => {
    kind = one;
    await relisted(await following('default/kubernetes', 'a'), 'a');
    expect(stand.reported.filter((text) => text === '-default/kubernetes')).toHaveLength(0);
    expect(stand.unconfirmed).toEqual(gone === 1 ? [] : [1]);
    if (gone === 1) return;
    answer(await secondRead(), ['a']);
    await stand.clock.advance(0);
    expect(stand.reported).toContain('-default/kubernetes');
  });

  test('a DELETED event is believed meanwhile, and one that shows an object ends its wait', async () => {
    const watch = await relisted(await following(...some(30)));
    watch.send(deleted('a1', 20), modified('a2', 20), deleted('never', 20));
    expect(stand.reported).toEqual(['-ns/a1', '+a2']);
    expect(stand.unconfirmed).toEqual([30, 28]);
    answer(await secondRead(), ['a1', 'a3']);
    await stand.clock.advance(0);
    expect(stand.reported.slice(2, 4)).toEqual(['+a1', '+a3']);
    expect(stand.reported).not.toContain('-ns/a2');
    expect(stand.reported).not.toContain('-ns/a3');
  });

  test('what the watch says to be deleted while the second read is under way stays deleted', async () => {
    const watch = await relisted(await following(...some(30)));
    const second = await secondRead();
    watch.send(deleted('a1', 20));
    answer(second, some(30));
    await stand.clock.advance(0);
    expect(stand.reported.filter((text) => text.endsWith('a1'))).toEqual(['-ns/a1']);
  });

  test('a second read that fails, or is none, is repeated with growing pauses', async () => {
    await relisted(await following(...some(30)));
    (await secondRead()).fail(cut());
    await stand.clock.advance(seconds(0.5));
    (await stand.client.call()).answer({ kind: 'Status', status: 'Failure', code: 200 });
    await stand.clock.advance(seconds(0.7));
    expect(stand.client.waiting).toBe(0);
    await stand.clock.advance(seconds(0.1));
    expect(deletions()).toBe(0);
    answer(await stand.client.call(), []);
    await stand.clock.advance(0);
    expect(deletions()).toBe(30);
  });

  test('a second read takes any version where the server does not have ours', async () => {
    await relisted(await following(...some(30)));
    (await secondRead()).fail(api(504, { causes: ['ResourceVersionTooLarge'] }));
    await stand.clock.advance(seconds(1));
    const second = await stand.client.call();
    expect(second.query).toEqual({});
    answer(second, some(30));
    await stand.clock.advance(0);
    expect(deletions()).toBe(0);
  });

  test('another read that leaves out more puts the second read off', async () => {
    let watch = await relisted(await following(...some(60)), ...some(10));
    await stand.clock.advance(seconds(5));
    watch = await relisted(watch);
    await stand.clock.advance(seconds(12.9));
    expect(stand.client.waiting).toBe(0);
    await stand.clock.advance(seconds(0.1));
    answer(await stand.client.call(), []);
    await stand.clock.advance(0);
    expect(deletions()).toBe(60);
    expect(watch.isAborted()).toBe(false);
  });
});

test('a second read that is asked for reports what was not known, and that it is over', async () => {
  await following('a');
  stand.confirm();
  stand.confirm();
  await stand.clock.advance(seconds(15));
  answer(await stand.client.call(), ['a', 'b']);
  await stand.clock.advance(0);
  expect(stand.reported).toEqual(['+b', 'confirmed']);
});

describe('an answer that is no list', () => {
  test.each<[string, unknown]>([
    ['a Status', { kind: 'Status', apiVersion: 'v1', code: 503 }],
    ['an empty object', {}],
    ['nothing', null],
    ['an array', []],
    ['a text', 'no healthy upstream'],
    ['a list of another kind', { kind: 'PodList', metadata: { resourceVersion: '9' }, items: [] }],
    ['a list without items', { kind: 'ServiceList', metadata: { resourceVersion: '9' } }],
    [
      'a list whose items are no array',
      { kind: 'ServiceList', metadata: { resourceVersion: '9' }, items: {} },
    ],
    ['a list without a version', { kind: 'ServiceList', metadata: {}, items: [] }],
  ])('(%s) is a failure: what is known stays', async (_name, body) => {
    const watch = await following('a');
    watch.fail(api(410));
    await stand.clock.advance(seconds(0.5));
    (await stand.client.call()).answer(body);
    await stand.clock.advance(seconds(0.5));
    expect(stand.reported).toEqual([]);
    await relistedAnew();
    expect(stand.reported).toEqual([]);
  });

  test('an empty list may have null for its items, as Go prints it', async () => {
    const watch = await following('a');
    watch.fail(api(410));
    await stand.clock.advance(seconds(0.5));
    (await stand.client.call()).answer({
      kind: 'ServiceList',
      metadata: { resourceVersion: '9' },
      items: null,
    });
    await stand.client.call();
    expect(stand.reported).toEqual(['-ns/a']);
  });
});

async function relistedAnew(): Promise<void> {
  answer(await stand.client.call(), ['a']);
  await stand.client.call();
  stand.reported.length = 0;
}

test('much that is gone is reported a stretch at a time, and then that the second read is over', async () => {
  await relisted(await following(...some(1200)));
  answer(await secondRead(), []);
  await new Promise((resolve) => setImmediate(resolve));
  const first = deletions();
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThan(1200);
  await stand.clock.advance(0);
  expect(deletions()).toBe(1200);
  expect(stand.reported.at(-1)).toBe('confirmed');
});

test('what comes again before its deletion is reported is not deleted', async () => {
  const watch = await relisted(await following(...some(1200)));
  const second = await secondRead();
  answer(second, []);
  await Promise.resolve();
  watch.send(added('a1199', 30));
  await stand.clock.advance(0);
  expect(stand.reported.filter((text) => text.endsWith('a1199'))).toEqual(['+a1199']);
  expect(deletions()).toBe(1199);
});
