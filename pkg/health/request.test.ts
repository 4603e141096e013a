import { expect, test } from 'vitest';
import { accepted } from './request.ts';

test.each([
  ['', []],
  ['text/plain', ['text/plain 1']],
  ['a/b;q=0.2, C/D ; q=0.8', ['c/d 0.8', 'a/b 0.2']],
  ['a/b,c/d', ['a/b 1', 'c/d 1']],
  ['a/b;q=x,,;', ['a/b 0']],
])('%j means %j', (header, expected) => {
  expect(accepted(header).map(({ name, quality }) => `${name} ${quality}`)).toEqual(expected);
});

test('parameters are kept, without quotes', () => {
  const [first] = accepted('application/json;g="config.k8s.io";V=v1beta1;q=1');
  expect([...(first?.parameters ?? [])]).toEqual([
    ['g', 'config.k8s.io'],
    ['v', 'v1beta1'],
  ]);
});

test('of a long header only the beginning is looked at', () => {
  expect(accepted('a/b,'.repeat(1_000))).toHaveLength(50);
});
