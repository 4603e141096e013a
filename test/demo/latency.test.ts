import { expect, test } from 'vitest';
import { sumOf } from './latency.ts';
import { median, milliseconds } from './wait.ts';

test('a metric is summed over its labels, and others with a longer name are not in it', () => {
  const text = [
    '# TYPE sync_seconds histogram',
    'sync_seconds_sum{ip_family="IPv4"} 1.5',
    'sync_seconds_sum{ip_family="IPv6"} 0.25',
    'sync_seconds_summit 100',
    'sync_seconds_count 3',
    '',
  ].join('\n');
  expect(sumOf(text, 'sync_seconds_sum')).toBe(1.75);
  expect(sumOf(text, 'sync_seconds_count')).toBe(3);
  expect(sumOf(text, 'none')).toBe(0);
});

test('the middle of numbers is found by their size, not their text', () => {
  expect(median([9, 100, 10])).toBe(10);
  expect(median([])).toBeNaN();
});

test('milliseconds have a digit more where they are few', () => {
  expect([9.94, 10.4].map(milliseconds)).toEqual(['9.9 ms', '10 ms']);
});
