import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  answer,
  api,
  cut,
  events,
  object,
  ReflectorStand,
} from '../../../test/support/kube/reflector-stand.ts';
import { seconds } from '../../runner/clock.ts';

const { bookmark, deleted, errorEvent, modified } = events;

let stand: ReflectorStand;

beforeEach(() => void (stand = new ReflectorStand()));
afterEach(() => stand.end());

const start = Date.UTC(2025, 0, 1);

test('before the first answer nothing is known', async () => {
  await stand.reading();
  expect(stand.state).toEqual({
    kind: 'Service',
    objects: 0,
    version: '',
    lastHeard: undefined,
    isWatching: false,
  });
});

test('what came counts: objects, the newest version, and when', async () => {
  const watch = await stand.watching();
  expect(stand.state).toEqual({
    kind: 'Service',
    objects: 2,
    version: '10',
    lastHeard: start,
    isWatching: true,
  });
  watch.send(modified('c', 12));
  watch.send(deleted('a', 13));
  watch.send(deleted('b', 14));
  expect(stand.state).toMatchObject({ objects: 1, version: '14', lastHeard: start + seconds(11) });
  await stand.clock.advance(seconds(20));
  watch.send(bookmark(20));
  expect(stand.state).toMatchObject({ version: '20', lastHeard: start + seconds(31) });
});

test('a list counts too, and a watch stands when it has lived for two seconds', async () => {
  const list = await stand.listing();
  answer(list, { version: 7, objects: [object('a', 5)] });
  const watch = await stand.client.call();
  expect(stand.state).toMatchObject({
    objects: 1,
    version: '7',
    lastHeard: start,
    isWatching: false,
  });
  watch.open();
  await stand.clock.advance(seconds(2));
  expect(stand.state).toMatchObject({ isWatching: true });
});

test('each end of a watch is reported once, with how it ended', async () => {
  (await stand.watching()).end();
  expect(stand.ends).toEqual([]);
  let watch = await stand.client.call();
  expect(stand.ends).toEqual(['closed']);
  watch.fail(cut());
  ({ call: watch } = await stand.callWithin(seconds(40)));
  watch.send(errorEvent(410));
  ({ call: watch } = await stand.callWithin(seconds(40)));
  watch.fail(api(500));
  ({ call: watch } = await stand.callWithin(seconds(40)));
  expect(stand.ends).toEqual(['closed', 'failed', 'failed', 'failed']);
  expect(stand.state?.isWatching).toBe(false);
});

test('a watch without an event for two minutes ended silently, and one that is no longer wanted does not count', async () => {
  await stand.watching();
  await stand.callWithin(seconds(130));
  expect(stand.ends).toEqual(['silent']);
  stand.stop();
  await stand.clock.advance(0);
  expect(stand.ends).toEqual(['silent']);
});
