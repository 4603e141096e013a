import { expect, test } from 'vitest';
import { codeOf, errnoNumber } from './codes.ts';

test.each([
  [2, 'ENOENT'],
  [11, 'EAGAIN'],
  [95, 'EOPNOTSUPP'],
  [524, 'ENOTSUPP'],
  [4103, 'E4103'],
])('error %i is called %s', (number, name) => {
  expect(codeOf(number)).toBe(name);
});

test('a name that no error has is a mistake of the program', () => {
  expect(errnoNumber('ENOBUFS')).toBe(105);
  expect(() => errnoNumber('ENOSUCH')).toThrow(RangeError);
});
