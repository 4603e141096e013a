import { expect, test } from 'vitest';
import { Queue } from './queue.ts';

test('gives out everything in order, once', () => {
  const queue = new Queue<number>();
  queue.put(1);
  queue.put(2);
  expect(queue.size).toBe(2);
  expect(queue.takeAll()).toEqual([1, 2]);
  expect([queue.size, queue.takeAll()]).toEqual([0, []]);
});

test('whoever waits is woken by the first thing that comes, and does not wait while there is one', async () => {
  const queue = new Queue<string>();
  const { signal } = new AbortController();
  const woken = queue.hasSome(signal);
  queue.put('one');
  expect(await woken).toBe(true);
  expect(await queue.hasSome(signal)).toBe(true);
});

test('an abort ends the wait, and takes precedence over what is there', async () => {
  const queue = new Queue<string>();
  const stop = new AbortController();
  const woken = queue.hasSome(stop.signal);
  stop.abort();
  expect(await woken).toBe(false);
  queue.put('too late');
  expect(await queue.hasSome(stop.signal)).toBe(false);
  expect(queue.size).toBe(1);
});
