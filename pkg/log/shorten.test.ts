import { expect, test } from 'vitest';
import { shorten } from './shorten.ts';

test.each([
  ['short enough', 'abcd', 4, 'abcd'],
  ['too long', 'abcde', 4, 'abc…'],
  ['cut between the halves of a character', 'ab😀de', 4, 'ab…'],
  ['cut behind a character', 'a😀de', 4, 'a😀…'],
])('a text that is %s', (_name, text, limit, expected) => {
  expect(shorten(text, limit)).toBe(expected);
});
