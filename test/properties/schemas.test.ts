import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Codec, decode, encode } from '../../pkg/wire/codec.ts';
import { DecodeError } from '../../pkg/wire/reader.ts';
import { budget, schemas } from './all-schemas.ts';
import { valuesOf } from './generators.ts';

/** The value or the error; anything but a DecodeError is thrown on. */
function tryDecode(codec: Codec<unknown>, bytes: Uint8Array): unknown {
  try {
    return decode(codec, bytes);
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
}

test('the list holds the schemas', () => {
  expect(schemas.length).toBeGreaterThanOrEqual(60);
});

describe.each(schemas)('%s', (_, codec) => {
  test('what is encoded is decoded again', () => {
    fc.assert(
      fc.property(valuesOf(codec), (value) => {
        expect(decode(codec, encode(codec, value))).toEqual(value);
      }),
      budget,
    );
  });

  test('of garbage nothing but a DecodeError comes out', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        tryDecode(codec, bytes);
      }),
      budget,
    );
  });

  test('of damaged messages nothing but a DecodeError comes out', () => {
    const damage = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat() });
    fc.assert(
      fc.property(valuesOf(codec), damage, (value, { at, byte, cut }) => {
        const bytes = encode(codec, value).slice();
        if (bytes.length === 0) return;
        bytes[at % bytes.length] = byte;
        tryDecode(codec, bytes);
        tryDecode(codec, bytes.subarray(0, cut % bytes.length));
      }),
      budget,
    );
  });

  test('a message that is cut short is not taken for another one of the same value', () => {
    fc.assert(
      fc.property(valuesOf(codec), fc.nat(), (value, cut) => {
        const bytes = encode(codec, value);
        const length = cut % Math.max(1, bytes.length);
        const isPadding =
          bytes.subarray(length).every((byte) => byte === 0) && bytes.length - length < 4;
        if (bytes.length === 0 || isPadding) return;
        expect(tryDecode(codec, bytes.subarray(0, length))).not.toEqual(value);
      }),
      budget,
    );
  });
});
