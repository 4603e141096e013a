import { expect, test } from 'vitest';
import { errorText } from './error-text.ts';

const inner = new Error('ENOENT');
const twice = new Error('read /x: ENOENT', { cause: inner });
const loop = new Error('around');
loop.cause = loop;

test.each([
  ['an error is its message', inner, 'ENOENT'],
  [
    'causes follow',
    new Error('sync', { cause: new Error('add', { cause: inner }) }),
    'sync: add: ENOENT',
  ],
  ['a cause that the message repeats is said once', twice, 'read /x: ENOENT'],
  ['a cause that is its own cause ends', loop, 'around'],
  ['a cause may be text', new Error('sync', { cause: 'stopped' }), 'sync: stopped'],
  [
    'several errors stand side by side',
    new AggregateError([inner, 'b'], 'all failed'),
    'all failed: ENOENT; b',
  ],
  ['several errors need no sentence', new AggregateError([inner]), 'ENOENT'],
  ['an error without a message has a name', new Error(''), 'Error'],
  ['an object is shown', { code: 5n }, '{ code: 5n }'],
  ['nothing thrown is shown', null, 'null'],
])('%s', (_name, error, expected) => {
  expect(errorText(error)).toBe(expected);
});

const round = new AggregateError([], 'round');
round.errors.push(round);

test.each([
  ['a long message', new Error('x'.repeat(1_000_000))],
  ['many errors', new AggregateError(Array.from({ length: 1_000_000 }, () => inner))],
  ['several errors that are among themselves', round],
  ['a large object', Object.fromEntries(Array.from({ length: 100_000 }, (_, key) => [key, {}]))],
])('%s is cut', (_name, error) => {
  expect(errorText(error).length).toBeLessThanOrEqual(2000);
});

test('of many errors it is said how many there are', () => {
  const errors = Array.from({ length: 12 }, (_, index) => new Error(`${index}`));
  expect(errorText(new AggregateError(errors, 'all'))).toBe('all: 0; 1; 2; 3; 4; and 7 more');
});

test('an error in our code says where', () => {
  expect(errorText(new TypeError('x is not a function'))).toMatch(
    /^TypeError: x is not a function \(at .*error-text\.test\.ts:\d+:\d+\)?\)$/,
  );
});
