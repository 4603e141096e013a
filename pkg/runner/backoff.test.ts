import { describe, expect, test } from 'vitest';
import { Backoff } from './backoff.ts';

function pauses(backoff: Backoff, count: number): number[] {
  return Array.from({ length: count }, () => backoff.next());
}

describe('pauses', () => {
  const options = { first: 100, last: 1000 };
  test('double up to the limit', () => {
    const backoff = new Backoff({ ...options, random: () => 1 });
    expect(pauses(backoff, 6)).toEqual([100, 200, 400, 800, 1000, 1000]);
  });
  test('are half as long at least', () => {
    const backoff = new Backoff({ ...options, random: () => 0 });
    expect(pauses(backoff, 6)).toEqual([50, 100, 200, 400, 500, 500]);
  });
  test('begin anew after a success', () => {
    const backoff = new Backoff({ ...options, random: () => 0 });
    pauses(backoff, 3);
    backoff.reset();
    expect(pauses(backoff, 2)).toEqual([50, 100]);
  });
  test('are as long as is asked for, beyond the limit as well', () => {
    const backoff = new Backoff({ ...options, random: () => 1 });
    expect([backoff.next(50), backoff.next(7_000), backoff.next()]).toEqual([100, 7_000, 400]);
  });
  test('are never longer than the limit, not even the first', () => {
    expect(new Backoff({ first: 10, last: 4, random: () => 1 }).next()).toBe(4);
  });
});
