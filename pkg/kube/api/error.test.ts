import { describe, expect, test } from 'vitest';
import { ApiError, ConnectionError, errorFromStatus, failureLabel } from './error.ts';

const long = 'x'.repeat(1_000_000);

describe('what a server says is kept only in part', () => {
  test.each([
    ['a message', { message: long }],
    ['a reason', { reason: long }],
    ['a body that is text', long],
    ['causes', { details: { causes: Array.from({ length: 10_000 }, () => ({ reason: long })) } }],
  ])('of a megabyte: %s', (_name, body) => {
    const { message, reason, causes } = errorFromStatus('GET /x', { status: 500, body });
    expect(JSON.stringify([message, reason, causes]).length).toBeLessThan(3000);
  });

  test('the reason why a connection was lost', () => {
    expect(new ConnectionError('GET /x', { reason: long }).message.length).toBeLessThan(600);
  });
});

test.each([-1, 0, 1e300, 7.5, Number.NaN, '410'])(
  'a code that is no HTTP status is not believed, nor made a label: %s',
  (code) => {
    const error = errorFromStatus('watch', { status: 200, body: { code, reason: 'Odd' } });
    expect([error.status, failureLabel(error)]).toEqual([200, '200']);
  },
);

test('what is short stays as it is', () => {
  const error = new ApiError('GET /x', { status: 403, reason: 'Forbidden', message: 'no' });
  expect(error.message).toBe('GET /x: 403 Forbidden: no');
  expect(new ApiError('GET /x', { status: 500 }).message).toBe('GET /x: 500');
});
