import { DecodeError, Reader } from './reader.ts';
import { EncodeError, Writer } from './writer.ts';

/** One direction: writes values. */
export interface Encoder<T> {
  /** The table that writes the same bytes, if this is not a table. */
  readonly table?: Codec<unknown>;
  /** Throws {@link EncodeError} for a value that does not fit. */
  encode(writer: Writer, value: T): void;
}

/** The other direction: reads values. */
export interface Decoder<T> {
  /** The table that reads the same bytes, if this is not a table. */
  readonly table?: Codec<unknown>;
  /** Throws {@link DecodeError}. */
  decode(reader: Reader): T;
}

/**
 * Both directions of one wire format. A codec holds no state: the cursor is the reader's. `decode` reads as far as the
 * value goes; text, bytes and attribute sets go up to the reader's end.
 */
export interface Codec<T> extends Encoder<T>, Decoder<T> {
  /** The structure of the codec, for printing, generating or compiling. */
  readonly shape: Shape;
  readonly table?: never;
}

/** The TypeScript type that a codec reads and writes. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** The layout of a codec's bytes, from which the property tests generate values. */
export type Shape =
  | { readonly kind: 'integer'; readonly bits: 8 | 16 | 32; readonly isSigned: boolean }
  | { readonly kind: 'u64' }
  | { readonly kind: 'cstring' }
  | { readonly kind: 'flag' }
  /** `lengths`: the lengths allowed; any if undefined. */
  | { readonly kind: 'bytes'; readonly lengths: readonly number[] | undefined }
  | { readonly kind: 'padding'; readonly length: number }
  | { readonly kind: 'struct'; readonly fields: Readonly<Record<string, Codec<unknown>>> }
  | {
      readonly kind: 'prefixed';
      readonly prefix: readonly number[];
      readonly inner: Codec<unknown>;
    }
  | {
      readonly kind: 'mapped';
      readonly inner: Codec<unknown>;
      readonly decode: (value: unknown) => unknown;
    }
  | {
      readonly kind: 'attributes';
      readonly name: string;
      readonly fields: Readonly<Record<string, Field>>;
    };

/** How often an attribute is present in its set. */
export type Presence = 'required' | 'optional' | 'repeated';

/** One row of an attribute table. */
export interface Field<T = unknown, P extends Presence = Presence> {
  readonly type: number;
  readonly codec: Codec<T>;
  readonly presence: P;
  readonly isNetByteOrder: boolean;
}

/** The bytes of a value; throws {@link EncodeError}. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer(256);
  codec.encode(writer, value);
  return writer.written();
}

/** The value of all of these bytes; throws {@link DecodeError}. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes);
  const value = codec.decode(reader);
  if (reader.remaining > 0) throw new DecodeError(`${reader.remaining} bytes too many`);
  return value;
}

function outOfRange(value: unknown, type: string): EncodeError {
  return new EncodeError(`${String(value)} is no ${type}`);
}

/** One byte. */
export const u8: Codec<number> = {
  shape: { kind: 'integer', bits: 8, isSigned: false },
  encode(writer, value) {
    if ((value & 0xff) !== value) throw outOfRange(value, 'u8');
    writer.u8(value);
  },
  decode: (reader) => reader.u8(),
};

/** Two bytes in the host's order. */
export const u16: Codec<number> = {
  shape: { kind: 'integer', bits: 16, isSigned: false },
  encode(writer, value) {
    if ((value & 0xffff) !== value) throw outOfRange(value, 'u16');
    writer.u16(value);
  },
  decode: (reader) => reader.u16(),
};

/** Two bytes in network order. */
export const u16be: Codec<number> = {
  shape: { kind: 'integer', bits: 16, isSigned: false },
  encode(writer, value) {
    if ((value & 0xffff) !== value) throw outOfRange(value, 'u16');
    writer.u16be(value);
  },
  decode: (reader) => reader.u16be(),
};

/** Four bytes in the host's order. */
export const u32: Codec<number> = {
  shape: { kind: 'integer', bits: 32, isSigned: false },
  encode(writer, value) {
    if (value >>> 0 !== value) throw outOfRange(value, 'u32');
    writer.u32(value);
  },
  decode: (reader) => reader.u32(),
};

/** Four bytes in network order. */
export const u32be: Codec<number> = {
  shape: { kind: 'integer', bits: 32, isSigned: false },
  encode(writer, value) {
    if (value >>> 0 !== value) throw outOfRange(value, 'u32');
    writer.u32be(value);
  },
  decode: (reader) => reader.u32be(),
};

/** Four bytes in the host's order, signed. */
export const s32: Codec<number> = {
  shape: { kind: 'integer', bits: 32, isSigned: true },
  encode(writer, value) {
    if ((value | 0) !== value) throw outOfRange(value, 's32');
    writer.s32(value);
  },
  decode: (reader) => reader.s32(),
};

/** Eight bytes in the host's order. */
export const u64: Codec<bigint> = {
  shape: { kind: 'u64' },
  encode(writer, value) {
    if (BigInt.asUintN(64, value) !== value) throw outOfRange(value, 'u64');
    writer.u64(value);
  },
  decode: (reader) => reader.u64(),
};

/** Eight bytes in network order. */
export const u64be: Codec<bigint> = {
  shape: { kind: 'u64' },
  encode(writer, value) {
    if (BigInt.asUintN(64, value) !== value) throw outOfRange(value, 'u64');
    writer.u64be(value);
  },
  decode: (reader) => reader.u64be(),
};

/** Text with a zero byte behind it; on the way in, the zero byte may be missing. */
export const cstring: Codec<string> = {
  shape: { kind: 'cstring' },
  encode(writer, value) {
    if (value.includes('\0')) throw new EncodeError('text with a zero byte in it');
    writer.text(value);
  },
  decode: (reader) => reader.text(),
};

/** No bytes: only the attribute's presence counts. */
export const flag: Codec<true> = {
  shape: { kind: 'flag' },
  encode() {},
  decode: () => true,
};

/** All remaining bytes. */
export const bytes: Codec<Uint8Array> = {
  shape: { kind: 'bytes', lengths: undefined },
  encode: (writer, value) => writer.put(value),
  decode: (reader) => reader.take(reader.remaining),
};

/** All remaining bytes, whose number must be one of these. */
export function bytesOf(...lengths: readonly number[]): Codec<Uint8Array> {
  return {
    shape: { kind: 'bytes', lengths },
    encode(writer, value) {
      if (!lengths.includes(value.length))
        throw new EncodeError(`${value.length} bytes, not ${lengths.join(' or ')}`);
      writer.put(value);
    },
    decode(reader) {
      if (!lengths.includes(reader.remaining))
        throw new DecodeError(`${reader.remaining} bytes, not ${lengths.join(' or ')}`);
      return reader.take(reader.remaining);
    },
  };
}

/** This many bytes. */
export function octets(length: number): Codec<Uint8Array> {
  return {
    shape: { kind: 'bytes', lengths: [length] },
    encode(writer, value) {
      if (value.length !== length) throw new EncodeError(`${value.length} bytes, not ${length}`);
      writer.put(value);
    },
    decode: (reader) => reader.take(length),
  };
}

/** Bytes without a meaning: written as zeros, skipped when read, and not part of the struct's value. */
export function padding(length: number): Codec<never> {
  return {
    shape: { kind: 'padding', length },
    encode: (writer) => writer.zeros(length),
    decode(reader): never {
      reader.skip(length);
      return undefined as never; // a struct, its only user, leaves the value out
    },
  };
}
