import { expect, test } from 'vitest';
import { countByPod, lastPart, printCounts } from './requests.ts';

test('answers are counted by pod, most first, and printed by the ends of their names', () => {
  const replies = ['a-x1', 'b-y2', 'b-y2'].map((pod) => ({ pod, peer: '10.0.1.1' }));
  const counts = countByPod(replies);
  expect([...counts]).toEqual([
    ['b-y2', 2],
    ['a-x1', 1],
  ]);
  expect(printCounts(counts)).toBe('y2 2  x1 1');
});

test('a name without a dash is its own end', () => {
  expect(lastPart('kube-dns-5hvbj')).toBe('5hvbj');
  expect(lastPart('10.0.1.1')).toBe('10.0.1.1');
});
