import fc from 'fast-check';
import type { Codec, Field } from '../../pkg/wire/codec.ts';
import { DecodeError } from '../../pkg/wire/reader.ts';

/** Values that a codec takes, made from its shape. What a mapped codec does not read is left out. */
export function valuesOf(codec: Codec<unknown>): fc.Arbitrary<unknown> {
  const { shape } = codec;
  switch (shape.kind) {
    case 'integer': {
      const span = 2 ** shape.bits;
      return shape.isSigned
        ? fc.integer({ min: -span / 2, max: span / 2 - 1 })
        : fc.integer({ min: 0, max: span - 1 });
    }
    case 'u64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case 'cstring':
      return fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    case 'flag':
      return fc.constant(true);
    case 'bytes':
      return shape.lengths === undefined
        ? fc.uint8Array({ maxLength: 40 })
        : fc.oneof(
            ...shape.lengths.map((length) =>
              fc.uint8Array({ minLength: length, maxLength: length }),
            ),
          );
    case 'padding':
      return fc.constant(undefined);
    case 'struct':
      return fc.record(
        Object.fromEntries(
          Object.entries(shape.fields)
            .filter(([, field]) => field.shape.kind !== 'padding')
            .map(([name, field]) => [name, valuesOf(field)]),
        ),
      );
    case 'prefixed':
      return valuesOf(shape.inner);
    case 'mapped':
      return valuesOf(shape.inner)
        .map((value) => attempt(() => shape.decode(value)))
        .filter((result) => result !== undefined)
        .map((result) => result.value);
    case 'attributes':
      return recordOf(shape.fields);
  }
}

function recordOf(fields: Readonly<Record<string, Field>>): fc.Arbitrary<unknown> {
  const entries = Object.entries(fields);
  const model = Object.fromEntries(entries.map(([name, field]) => [name, fieldValues(field)]));
  const always = entries
    .filter(([, { presence }]) => presence !== 'optional')
    .map(([name]) => name);
  return fc.record(model, { requiredKeys: always });
}

function fieldValues({ codec, presence }: Field): fc.Arbitrary<unknown> {
  return presence === 'repeated' ? fc.array(valuesOf(codec), { maxLength: 4 }) : valuesOf(codec);
}

/** The value, or `undefined` if reading it was refused; boxed because a value may be anything. */
function attempt(read: () => unknown): { value: unknown } | undefined {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
