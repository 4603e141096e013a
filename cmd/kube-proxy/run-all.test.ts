import { expect, test } from 'vitest';
import { type Part, runAll } from './run-all.ts';

/** A part that works until it is told to end. */
function patient(ended: string[], name: string): Part {
  return async (signal) => {
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    }
    ended.push(name);
  };
}

test('an abort ends every part', async () => {
  const ended: string[] = [];
  const controller = new AbortController();
  const running = runAll([patient(ended, 'a'), patient(ended, 'b')], controller.signal);
  expect(ended).toEqual([]);
  controller.abort();
  await running;
  expect(ended).toEqual(['a', 'b']);
});

test('a part that ends by itself leaves the others alone', async () => {
  const ended: string[] = [];
  const controller = new AbortController();
  const running = runAll([async () => {}, patient(ended, 'b')], controller.signal);
  await new Promise((resolve) => setImmediate(resolve));
  expect(ended).toEqual([]);
  controller.abort();
  await running;
});

test('a part that throws ends the others first, and the first error counts', async () => {
  const ended: string[] = [];
  const fail: Part = () => Promise.reject(new Error('first'));
  const failLater: Part = async (signal) => {
    await patient(ended, 'later')(signal);
    throw new Error('second');
  };
  const running = runAll([patient(ended, 'a'), fail, failLater], new AbortController().signal);
  await expect(running).rejects.toThrow('first');
  expect(ended).toEqual(['a', 'later']);
});
