import { type Codec, encode } from './codec.ts';
import { isLittleEndian } from './reader.ts';
import { EncodeError, type Writer } from './writer.ts';

/**
 * A value that varies from message to message. `path` names it in the table's value. `low` and `high` are two values of the
 * same length whose bytes differ everywhere; numbers, bigints and bytes need none.
 */
export interface Variable {
  readonly path: readonly string[];
  readonly low?: unknown;
  readonly high?: unknown;
}

/** Where a value lies in the message, and how it is written. Made by {@link Template.of} and good for that template only. */
export interface Place {
  readonly at: number;
  readonly length: number;
  readonly isLittleEndian: boolean;
  readonly isSigned: boolean;
  readonly path: readonly string[];
}

/**
 * A message of which only some values vary. The table encodes it once; then {@link put} copies it with those values that were
 * set last. The places are found by encoding each value twice and comparing, so the table stays the only description of the
 * message. A template keeps the values that were set: it is a message under construction, not a codec.
 */
export class Template<Name extends string = string> {
  /** By the names that {@link of} was given. */
  readonly places: Readonly<Record<Name, Place>>;
  readonly #codec: Codec<unknown>;
  readonly #example: unknown;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  private constructor(
    codec: Codec<unknown>,
    example: unknown,
    { bytes, places }: { bytes: Uint8Array; places: Readonly<Record<Name, Place>> },
  ) {
    this.#codec = codec;
    this.#example = example;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.places = places;
  }

  /** The template of a message like the example, of which the variables may be set; throws {@link EncodeError}. */
  static of<T, Name extends string>(
    codec: Codec<T>,
    example: T,
    variables: Readonly<Record<Name, Variable>>,
  ): Template<Name> {
    const places = Object.entries<Variable>(variables).map(([name, variable]) => [
      name,
      placeOf(codec, example, variable),
    ]);
    return new Template(codec as Codec<unknown>, example, {
      bytes: encode(codec, example).slice(),
      places: Object.fromEntries(places) as Record<Name, Place>, // one for each variable
    });
  }

  /** Bytes of a message. */
  get length(): number {
    return this.#bytes.length;
  }

  /** Sets a number; throws the table's {@link EncodeError} for one that does not fit. */
  setNumber(place: Place, value: number): void {
    const view = this.#view;
    if (place.isSigned) {
      if ((value | 0) !== value || place.length !== 4) this.#refuse(place, value);
      view.setInt32(place.at, value, place.isLittleEndian);
    } else if (place.length === 2) {
      if ((value & 0xffff) !== value) this.#refuse(place, value);
      view.setUint16(place.at, value, place.isLittleEndian);
    } else if (place.length === 4) {
      if (value >>> 0 !== value) this.#refuse(place, value);
      view.setUint32(place.at, value, place.isLittleEndian);
    } else {
      if ((value & 0xff) !== value || place.length !== 1) this.#refuse(place, value);
      view.setUint8(place.at, value);
    }
  }

  /** Sets the first four bytes of a place, in network order. */
  setWord(place: Place, word: number): void {
    this.#view.setUint32(place.at, word, false);
  }

  /** Sets all bytes of a place; throws the table's {@link EncodeError} for another number of them. */
  setBytes(place: Place, bytes: Uint8Array): void {
    if (bytes.length !== place.length) this.#refuse(place, bytes);
    this.#bytes.set(bytes, place.at);
  }

  /** Appends the message. */
  put(writer: Writer): void {
    writer.put(this.#bytes);
  }

  /** The table says what is wrong with a value, and where. */
  #refuse(place: Place, value: unknown): never {
    encode(this.#codec, withValue(this.#example, place.path, value));
    throw new EncodeError(`${String(value)} does not fit`, place.path);
  }
}

/** Numbers whose bits are all ones, by scalar: the first that fits is the marker of a number. Only signed ones take -1. */
const largest = [-1, 0xffffffff, 0xffff, 0xff];

function placeOf<T>(codec: Codec<T>, example: T, { path, low, high }: Variable): Place {
  const encodeWith = (value: unknown) =>
    encode(codec, withValue(example, path, value) as T).slice();
  const [lowest, highest] = markersOf(valueAt(example, path), { low, high }, encodeWith);
  const before = encodeWith(lowest);
  const after = encodeWith(highest);
  const range = differingRange(before, after);
  if (range === undefined) throw new EncodeError('no value of the same length', path);
  const isNumber = typeof lowest === 'number';
  return {
    ...range,
    path,
    isSigned: highest === -1,
    isLittleEndian: isNumber ? encodeWith(1)[range.at] === 1 : isLittleEndian,
  };
}

function markersOf(
  current: unknown,
  { low, high }: Pick<Variable, 'low' | 'high'>,
  encodeWith: (value: unknown) => Uint8Array,
): readonly [unknown, unknown] {
  if (low !== undefined) return [low, high];
  if (current instanceof Uint8Array)
    return [new Uint8Array(current.length), new Uint8Array(current.length).fill(0xff)];
  if (typeof current === 'bigint') return [0n, 2n ** 64n - 1n];
  return [0, largest.find((value) => canEncode(encodeWith, value))];
}

function canEncode(encodeWith: (value: unknown) => Uint8Array, value: unknown): boolean {
  try {
    encodeWith(value);
    return true;
  } catch (error) {
    if (error instanceof EncodeError) return false;
    throw error;
  }
}

/** From the first to the last byte that differs; `undefined` if none does, or the lengths do, or a byte between them does not. */
function differingRange(
  before: Uint8Array,
  after: Uint8Array,
): { readonly at: number; readonly length: number } | undefined {
  if (before.length !== after.length) return undefined;
  const differs = (byte: number, index: number) => byte !== after[index];
  const at = before.findIndex(differs);
  const end = before.findLastIndex(differs) + 1;
  if (at < 0 || !before.subarray(at, end).every((byte, index) => byte !== after[at + index]))
    return undefined;
  return { at, length: end - at };
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) => (inner as Readonly<Record<string, unknown>> | undefined)?.[name],
    value,
  );
}

/** A copy of a table's value in which the part at the path is another one. */
function withValue(value: unknown, path: readonly string[], part: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return part;
  const record = value as Readonly<Record<string, unknown>>;
  return { ...record, [name]: withValue(record[name], rest, part) };
}
