import type { Codec } from './codec.ts';
import { Layout, type ValuePlace } from './layout.ts';
import { isLittleEndian, Reader } from './reader.ts';

const nowhere: ValuePlace = { at: -1, length: 0, isLittleEndian, isSigned: false };

/**
 * Reads some values of messages that are laid out alike, without walking the table for each. It learns the layout from a message
 * that the table could decode: where each attribute header stands and what it says, and where the wanted values lie. A message of
 * the same length with the same headers at the same places has its values there too; {@link matches} says so. For all others the
 * table has to be used. What is in values that are not wanted is not looked at.
 */
export class StraightReader<Name extends string> {
  /** Where the wanted values lie in the layout that was learned last. Read it anew for each message. */
  places: Readonly<Record<Name, ValuePlace>>;
  readonly #codec: Codec<unknown>;
  readonly #paths: Readonly<Record<Name, string>>;
  #length = -1;
  /** Length of the message before this one, if its layout was another than the one learned. */
  #candidate = -1;
  /** Pairs: the place of an attribute header, and its four bytes as a number. */
  #headers: readonly number[] = [];
  #view: DataView = new DataView(new ArrayBuffer(0));
  #start = 0;

  /** `paths` lead to the wanted values in the table's value: `dest.port`. */
  constructor(codec: Codec<unknown>, paths: Readonly<Record<Name, string>>) {
    this.#codec = codec;
    this.#paths = paths;
    this.places = this.#find(new Map());
  }

  /**
   * Tells of a message that has another layout and that the table has decoded: the bytes between `start` and the reader's end. The
   * second one of the same length in a row is learned, so two layouts in turns do not push each other out.
   */
  learn({ bytes, end }: Reader, start: number): void {
    const length = end - start;
    if (length !== this.#candidate) {
      this.#candidate = length;
      return;
    }
    const layout = new Layout(this.#codec, new Reader(bytes, start, end));
    this.#length = layout.isComplete ? length : -1;
    this.#headers = layout.headers;
    this.places = this.#find(layout.values);
  }

  /** Whether the message at the reader has the layout that was learned. If so, its values can be read until the bytes change. */
  matches(reader: Reader): boolean {
    const start = reader.offset;
    if (reader.end - start !== this.#length) return false;
    const { view } = reader;
    const headers = this.#headers;
    for (let index = 0; index < headers.length; index += 2) {
      const at = start + (headers[index] as number); // pairs
      if (view.getUint32(at, isLittleEndian) !== headers[index + 1]) return false;
    }
    this.#view = view;
    this.#start = start;
    this.#candidate = -1;
    return true;
  }

  /** Whether the message has the value. */
  has(place: ValuePlace): boolean {
    return place.at >= 0;
  }

  /** A number of one, two or four bytes; 0 if the message has none. */
  number(place: ValuePlace): number {
    const at = this.#start + place.at;
    if (place.isSigned && place.length === 4) return this.#view.getInt32(at, place.isLittleEndian);
    if (place.length === 4) return this.#view.getUint32(at, place.isLittleEndian);
    if (place.length === 2) return this.#view.getUint16(at, place.isLittleEndian);
    return place.length === 1 ? this.#view.getUint8(at) : 0;
  }

  /** A number of eight bytes; 0 if the message has none. */
  bigint(place: ValuePlace): bigint {
    if (place.length !== 8) return 0n;
    return this.#view.getBigUint64(this.#start + place.at, place.isLittleEndian);
  }

  /** The first four bytes of a value in network order; 0 if it has fewer. */
  word(place: ValuePlace): number {
    return place.length < 4 ? 0 : this.#view.getUint32(this.#start + place.at, false);
  }

  #find(values: ReadonlyMap<string, ValuePlace>): Readonly<Record<Name, ValuePlace>> {
    const places = Object.entries<string>(this.#paths).map(([name, path]) => [
      name,
      values.get(path) ?? nowhere,
    ]);
    return Object.fromEntries(places) as Record<Name, ValuePlace>; // one for each path
  }
}
