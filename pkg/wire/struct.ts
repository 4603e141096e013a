import type { Codec, ValueOf } from './codec.ts';
import { DecodeError } from './reader.ts';
import { EncodeError } from './writer.ts';

type Simplify<T> = { [K in keyof T]: T[K] };

/** The value of a struct: every field but the padding. */
export type StructOf<F> = Simplify<{
  readonly [K in keyof F as [ValueOf<F[K]>] extends [never] ? never : K]: ValueOf<F[K]>;
}>;

/**
 * Values one behind the other, without gaps: name the padding of the C struct. The last one may reach up to the end, as the
 * attributes behind the fixed header of a message do.
 */
export function struct<const F extends Readonly<Record<string, Codec<unknown>>>>(
  fields: F,
): Codec<StructOf<F>> {
  const members = Object.entries(fields).map(([name, codec]) => ({
    name,
    codec,
    isPadding: codec.shape.kind === 'padding',
  }));
  return {
    shape: { kind: 'struct', fields },
    encode(writer, value) {
      let current = '';
      try {
        for (const { name, codec } of members) {
          current = name;
          codec.encode(writer, (value as Readonly<Record<string, unknown>>)[name]);
        }
      } catch (error) {
        throw error instanceof EncodeError ? error.within(current) : error;
      }
    },
    decode(reader) {
      const value: Record<string, unknown> = {};
      let current = '';
      try {
        for (const { name, codec, isPadding } of members) {
          current = name;
          const part = codec.decode(reader);
          if (!isPadding) value[name] = part;
        }
      } catch (error) {
        throw error instanceof DecodeError ? error.within(current) : error;
      }
      return value as StructOf<F>; // built from the same table as the type
    },
  };
}

/** A value behind bytes that are always the same when written, and are not looked at when read. */
export function prefixed<T>(prefix: readonly number[], inner: Codec<T>): Codec<T> {
  return {
    shape: { kind: 'prefixed', prefix, inner },
    encode(writer, value) {
      for (const byte of prefix) writer.u8(byte);
      inner.encode(writer, value);
    },
    decode(reader) {
      reader.skip(prefix.length);
      return inner.decode(reader);
    },
  };
}

/** A value that is another type in the program. `decode` throws {@link DecodeError} and `encode` EncodeError where they do not take the value. */
export function mapped<Wire, T>(
  inner: Codec<Wire>,
  { decode, encode }: { decode: (value: Wire) => T; encode: (value: T) => Wire },
): Codec<T> {
  return {
    shape: { kind: 'mapped', inner, decode: decode as (value: unknown) => unknown }, // fed only with what `inner` decodes
    encode: (writer, value) => inner.encode(writer, encode(value)),
    decode: (reader) => decode(inner.decode(reader)),
  };
}
