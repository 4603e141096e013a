import { describe, expect, test } from 'vitest';
import { BodyError } from './body-error.ts';
import { decodeMessage, message } from './protobuf.ts';

const inner = message({ 1: { name: 'text', type: { kind: 'text' } } });
const table = message({
  1: { name: 'text', type: { kind: 'text' } },
  2: { name: 'pointer', type: { kind: 'optional text' } },
  3: { name: 'number', type: { kind: 'integer' } },
  4: { name: 'zero', type: { kind: 'optional integer' } },
  5: { name: 'yes', type: { kind: 'optional boolean' } },
  6: { name: 'at', type: { kind: 'time' } },
  7: { name: 'list', type: { kind: 'texts' } },
  8: { name: 'map', type: { kind: 'map', isWanted: (key) => key !== 'b' } },
  9: { name: 'inner', type: { kind: 'message', message: inner } },
  10: { name: 'many', type: { kind: 'messages', message: inner } },
});

function decode(hexadecimal: string): unknown {
  return decodeMessage(Buffer.from(hexadecimal.replaceAll(' ', ''), 'hex'), table);
}

// Bytes by protobuf's rules: a tag is the field's number times 8 plus the wire type.
test.each<[string, string, unknown]>([
  ['nothing', '', {}],
  ['text', '0a 02 c3a4', { text: 'ä' }],
  ['empty text, which JSON leaves out', '0a 00', {}],
  ['empty text of a pointer', '12 00', { pointer: '' }],
  ['a number', '18 ac02', { number: 300 }],
  ['a negative number', '18 ffffffffffffffffff01', { number: -1 }],
  ['the largest int32', '18 ffffffff07', { number: 2_147_483_647 }],
  ['0, which JSON leaves out', '18 00', {}],
  ['0 that JSON has', '20 00', { zero: 0 }],
  ['no', '28 00', { yes: false }],
  ['yes', '28 01', { yes: true }],
  ['a time', '32 06 08 a584d8bb06', { at: new Date('2025-01-02T03:04:05Z') }],
  ['no time', '32 00', {}],
  ['a time before 1970', '32 0b 08 ffffffffffffffffff01', { at: new Date('1969-12-31T23:59:59Z') }],
  ['a time that no calendar has', '32 0a 08 ffffffffffffffff7f', { at: new Date(Number.NaN) }],
  ['texts', '3a 01 61 3a 00', { list: ['a', ''] }],
  [
    'a map, of which a key is not wanted',
    '42 06 0a0161 120178 42 06 0a0162 120179 42 06 120179 0a0163',
    { map: { a: 'x', c: 'y' } },
  ],
  ['a message in two parts', '4a 03 0a0161 0a 01 7a 4a 00', { text: 'z', inner: { text: 'a' } }],
  ['messages', '52 03 0a0161 52 00', { many: [{ text: 'a' }, {}] }],
  ['the last of several', '0a 01 61 0a 01 62', { text: 'b' }],
  [
    'fields that are not known, of each wire type',
    'f801 01 fa01 02 ffff f901 0102030405060708 fd01 01020304 0a 01 61',
    { text: 'a' },
  ],
])('%s', (_, bytes, value) => {
  expect(decode(bytes)).toEqual(value);
});

describe('is refused:', () => {
  test.each([
    ['a length beyond the end', '0a 05 61', '5 bytes in a message that has 1 left'],
    ['a hostile length', '0a ffffffffffffffff7f', 'bytes in a message that has 0 left'],
    ['a negative length', '0a ffffffffffffffffff01', 'bytes in a message that has 0 left'],
    ['a hostile length of an unknown field', 'fa01 ffffffff0f', 'in a message that has 0 left'],
    [
      'a length that leaves its message',
      '4a 02 0a05 6161616161',
      '5 bytes in a message that has 0 left',
    ],
    ['a number that does not end', '18 ffffffffffffffffffff01', 'more than ten bytes'],
    ['a number that breaks off', '18 ff', 'breaks off'],
    ['a field of eight bytes that breaks off', 'f901 0102', 'breaks off'],
    ['another wire type than the field has', '08 01', 'field text has wire type 0'],
    ['a group', '0b', 'field text has wire type 3'],
    ['a group that is not known', 'fb01', 'wire type 3'],
  ])('%s', (_, bytes, reason) => {
    expect(() => decode(bytes)).toThrow(BodyError);
    expect(() => decode(bytes)).toThrow(reason);
  });

  test('a value that needs many times more memory than it has bytes', () => {
    const bytes = Buffer.alloc(2_000_000, Buffer.from('5200', 'hex'));
    expect(() => decodeMessage(bytes, table)).toThrow('a value that needs more than');
  });
});
