import { expect, test } from 'vitest';
import { AbsentResetter } from './absent.ts';

test('nothing is sent, which is said to the caller and reported for each packet', () => {
  const skipped: string[] = [];
  const resetter = new AbsentResetter(() => skipped.push('a packet'));
  expect(resetter.challenge()).toBe(false);
  expect(skipped).toEqual(['a packet']);
  expect(resetter.abort()).toBe(false);
  expect(skipped).toEqual(['a packet', 'a packet']);
  resetter.close();
  expect(skipped).toHaveLength(2);
});
