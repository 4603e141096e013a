import { expect, test } from 'vitest';
import { Inbox } from './inbox.ts';

test('gives out everything in order, once', () => {
  const inbox = new Inbox<number>();
  inbox.put(1);
  inbox.put(2);
  expect(inbox.size).toBe(2);
  expect(inbox.takeAll()).toEqual([1, 2]);
  expect([inbox.size, inbox.takeAll()]).toEqual([0, []]);
});

test('whoever waits is woken by the first thing that comes, and does not wait while there is one', async () => {
  const inbox = new Inbox<string>();
  const { signal } = new AbortController();
  const woken = inbox.hasSome(signal);
  inbox.put('one');
  expect(await woken).toBe(true);
  expect(await inbox.hasSome(signal)).toBe(true);
});

test('an abort ends the wait, and takes precedence over what is there', async () => {
  const inbox = new Inbox<string>();
  const stop = new AbortController();
  const woken = inbox.hasSome(stop.signal);
  stop.abort();
  expect(await woken).toBe(false);
  inbox.put('too late');
  expect(await inbox.hasSome(stop.signal)).toBe(false);
  expect(inbox.size).toBe(1);
});
