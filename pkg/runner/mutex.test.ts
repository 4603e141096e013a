import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { manualClock } from './manual-clock.ts';
import { Mutex, type MutexToken, runDetached } from './mutex.ts';

test('work runs one piece at a time, in the order asked for, whatever failed before', async () => {
  const mutex = new Mutex();
  const { promise, resolve } = Promise.withResolvers<void>();
  const log: string[] = [];
  const first = mutex.run(async () => {
    log.push('first begins');
    await promise;
    log.push('first ends');
    throw new Error('failed');
  });
  const second = mutex.run(() => log.push('second'));
  expect(mutex.length).toBe(2);
  resolve();
  await expect(first).rejects.toThrow('failed');
  await second;
  expect(log).toEqual(['first begins', 'first ends', 'second']);
  expect(mutex.length).toBe(0);
});

test('a token holds as long as its work, and throws when it is used later', async () => {
  const mutex = new Mutex();
  let kept: MutexToken | undefined;
  await mutex.run(async (token) => {
    await Promise.resolve();
    token.check();
    kept = token;
  });
  expect(() => kept?.check()).toThrow('a mutex token was used after its turn had ended');
});

test('waiting for the mutex from inside throws in place of hanging', async () => {
  const mutex = new Mutex();
  const nested = mutex.run(async () => {
    await Promise.resolve();
    await mutex.run(() => undefined);
  });
  await expect(nested).rejects.toThrow('a mutex was asked for from inside');
});

test('waiting for the mutex from inside another one that was entered from it throws as well', async () => {
  const mutex = new Mutex();
  const other = new Mutex();
  const nested = mutex.run(() => other.run(() => mutex.run(() => undefined)));
  await expect(nested).rejects.toThrow('a mutex was asked for from inside');
});

test('what work has begun and does not wait for may ask for the mutex when the work has ended', async () => {
  const mutex = new Mutex();
  const clock = manualClock();
  const { promise, resolve } = Promise.withResolvers<string>();
  await mutex.run(() => {
    clock.after(1, () => resolve(mutex.run(() => 'later')));
  });
  await clock.advance(1);
  expect(await promise).toBe('later');
});

test('detached work waits for the mutex that its beginner holds', async () => {
  const mutex = new Mutex();
  const order: string[] = [];
  let later: Promise<void> | undefined;
  await mutex.run(async () => {
    later = runDetached(() => mutex.run(() => void order.push('detached')));
    await setImmediate();
    order.push('beginner');
  });
  await later;
  expect(order).toEqual(['beginner', 'detached']);
});
