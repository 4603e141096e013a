import { describe, expect, test } from 'vitest';
import { attributes, optional, repeated, required } from './attributes.ts';
import { bytes, type Codec, cstring, decode, encode, flag, u16, u16be, u32 } from './codec.ts';
import { DecodeError, isLittleEndian } from './reader.ts';
import { struct } from './struct.ts';
import { EncodeError } from './writer.ts';

const inner = attributes('INNER', { name: required(6, cstring), size: optional(2, u32) });
const outer = attributes('OUTER', {
  port: optional(4, u16be, { netByteOrder: true }),
  part: required(1, inner),
  member: repeated(7, u16),
  isOn: optional(9, flag),
});

function hex(codec: Codec<never>, value: unknown): string {
  return Buffer.from(encode(codec as Codec<unknown>, value)).toString('hex');
}

function unhex<T>(codec: Codec<T>, text: string): T {
  return decode(codec, Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function caught(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

// The bytes below are those of a machine that stores the lowest byte first.
describe.runIf(isLittleEndian)('the bytes of an attribute set', () => {
  test('an attribute is its length, its type and its value, filled up to four bytes', () => {
    expect(hex(inner as Codec<never>, { name: 'rr' })).toBe('07000600' + '72720000');
  });

  test('attributes stand in the order of the table', () => {
    expect(hex(inner as Codec<never>, { size: 1, name: 'rrr' })).toBe(
      '08000600' + '72727200' + '08000200' + '01000000',
    );
  });

  test('a set inside a set has the nested bit, a field that asks for it the byte order bit', () => {
    expect(hex(outer as Codec<never>, { port: 80, part: { name: 'a' }, member: [] })).toBe(
      '06000440' + '00500000' + '0c000180' + '06000600' + '61000000',
    );
  });

  test('a list is one attribute for each element', () => {
    expect(hex(outer as Codec<never>, { part: { name: 'a' }, member: [1, 2] })).toMatch(
      /06000700010000000600070002000000$/,
    );
  });

  test('the two highest bits of a type are not looked at', () => {
    expect(unhex(inner, '0700 06c0 7272 0000')).toEqual({ name: 'rr' });
  });

  test('unknown attributes are skipped, the last of several counts, and text needs no zero byte', () => {
    expect(unhex(inner, '0500 6300 0100 0000  0600 0600 7272 0000  0700 0600 6c63 6300')).toEqual({
      name: 'lcc',
    });
  });

  test('the last attribute need not be filled up', () => {
    expect(unhex(inner, '0700 0600 7272 00')).toEqual({ name: 'rr' });
  });

  test('an absent list is empty and an absent flag is no field', () => {
    expect(unhex(outer, '0c00 0180 0600 0600 6100 0000')).toEqual({
      part: { name: 'a' },
      member: [],
    });
  });

  test.each([
    ['a missing attribute', '', 'OUTER.part: missing'],
    ['a missing attribute inside one', '0400 0180', 'OUTER.part: INNER.name: missing'],
    [
      'a value that is too short',
      '0c00 0180 0600 0200 0100 0000',
      'OUTER.part: INNER.size: needs 4 bytes, has 2',
    ],
    ['a value that is too long', '0800 0700 0100 0000', 'OUTER.member: 2 bytes too many'],
    [
      'a length that reaches beyond the end',
      '0900 0700 0100 0000',
      'OUTER.member: attribute of 9 bytes, 8 left',
    ],
    ['a length below that of the header', '0300 6300', 'OUTER: attribute of 3 bytes, 4 left'],
    [
      'bytes behind the last attribute',
      '0c00 0180 0600 0600 6100 0000 0102',
      'OUTER: 2 bytes too many',
    ],
  ])('%s is refused with its place', (_, text, message) => {
    const error = caught(() => unhex(outer, text));
    expect(error).toBeInstanceOf(DecodeError);
    expect((error as Error).message).toBe(message);
  });
});

describe('a value that does not fit its table', () => {
  test.each([
    ['a missing attribute', { part: {}, member: [] }, 'OUTER.part: INNER.name: missing'],
    [
      'a number out of range',
      { port: 65_536, part: { name: '' }, member: [] },
      'OUTER.port: 65536 is no u16',
    ],
    [
      'a negative number',
      { part: { name: '', size: -1 }, member: [] },
      'OUTER.part: INNER.size: -1 is no u32',
    ],
    ['a fraction', { part: { name: '' }, member: [1.5] }, 'OUTER.member: 1.5 is no u16'],
    [
      'text with a zero byte',
      { part: { name: 'a\0b' }, member: [] },
      'OUTER.part: INNER.name: text with a zero byte in it',
    ],
  ])('%s is refused with its place', (_, value, message) => {
    const error = caught(() => hex(outer as Codec<never>, value));
    expect(error).toBeInstanceOf(EncodeError);
    expect((error as Error).message).toBe(message);
  });

  test('an attribute that is longer than its length field can say is refused', () => {
    const blob = attributes('BLOB', { data: required(1, bytes) });
    expect(encode(blob, { data: new Uint8Array(65_531) }).length).toBe(65_536);
    expect(() => encode(blob, { data: new Uint8Array(65_532) })).toThrow(
      'BLOB.data: 65536 bytes long, at most 65535 fit',
    );
  });

  test('a type of more than 14 bits is no row', () => {
    expect(() => attributes('BAD', { x: required(0x4000, u32) })).toThrow(RangeError);
  });
});

test('attributes may follow the fields of a struct', () => {
  const message = struct({ index: u32, rest: inner });
  const value = { index: 7, rest: { name: 'lo', size: 3 } };
  expect(decode(message, encode(message, value))).toEqual(value);
  expect(() => encode(message, { index: 7, rest: {} as { name: string } })).toThrow(
    'rest: INNER.name: missing',
  );
});
