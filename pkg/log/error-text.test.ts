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

test('an error in our code says where', () => {
  expect(errorText(new TypeError('x is not a function'))).toMatch(
    /^TypeError: x is not a function \(at .*error-text\.test\.ts:\d+:\d+\)?\)$/,
  );
});
