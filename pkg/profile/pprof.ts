import { ProtobufWriter } from './protobuf.ts';

/** A place in the program, as V8 names it. Lines count from 0. */
export interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** Values that were measured with these frames on the stack, innermost first. There is one value for each type. */
export interface Sample {
  readonly stack: readonly Frame[];
  readonly values: readonly number[];
}

/** The type and unit of a value: `cpu` in `nanoseconds`. */
export interface ValueType {
  readonly type: string;
  readonly unit: string;
}

/** A profile in the terms of google/pprof's profile.proto. */
export interface Profile {
  readonly types: readonly ValueType[];
  readonly samples: readonly Sample[];
  /** The quantity by which samples are taken, and its amount between two samples. */
  readonly period: { readonly type: ValueType; readonly value: number };
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Milliseconds. */
  readonly duration: number;
}

/** Texts by number; 0 is the empty one. */
class StringTable {
  readonly #numbers = new Map([['', 0]]);

  numberOf(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  all(): IterableIterator<string> {
    return this.#numbers.keys();
  }
}

/** Functions and their locations by number, from 1. Each function has one location, its beginning. */
class PlaceTable {
  readonly #places = new Map<string, { readonly id: number; readonly frame: Frame }>();

  idOf(frame: Frame): number {
    const key = `${frame.functionName}\n${frame.url}\n${frame.lineNumber}`;
    const known = this.#places.get(key);
    if (known !== undefined) return known.id;
    const id = this.#places.size + 1;
    this.#places.set(key, { id, frame });
    return id;
  }

  all(): Iterable<{ readonly id: number; readonly frame: Frame }> {
    return this.#places.values();
  }
}

/** Encodes a profile as profile.proto, uncompressed. */
export function encodeProfile(profile: Profile): Uint8Array {
  const writer = new ProtobufWriter();
  const strings = new StringTable();
  const places = new PlaceTable();
  const valueType =
    ({ type, unit }: ValueType) =>
    (inner: ProtobufWriter) => {
      inner.number(1, strings.numberOf(type));
      inner.number(2, strings.numberOf(unit));
    };
  for (const type of profile.types) writer.message(1, valueType(type));
  for (const { stack, values } of profile.samples) {
    writer.message(2, (inner) => {
      inner.numbers(
        1,
        stack.map((frame) => places.idOf(frame)),
      );
      inner.numbers(2, values);
    });
  }
  writer.message(3, (inner) => {
    inner.number(1, 1);
    inner.number(5, strings.numberOf('kube-proxy'));
    inner.number(7, 1); // has_functions: nothing is to be looked up in a binary
  });
  for (const { id, frame } of places.all()) writePlace(writer, { id, frame, strings });
  writer.number(9, profile.time * 1e6);
  writer.number(10, Math.round(profile.duration * 1e6));
  writer.message(11, valueType(profile.period.type));
  writer.number(12, profile.period.value);
  // Last, as it is complete only now. The order of fields has no meaning.
  for (const text of strings.all()) writer.bytes(6, Buffer.from(text));
  return writer.finish();
}

function writePlace(
  writer: ProtobufWriter,
  { id, frame, strings }: { id: number; frame: Frame; strings: StringTable },
): void {
  const name = strings.numberOf(frame.functionName === '' ? '(anonymous)' : frame.functionName);
  const line = Math.max(0, frame.lineNumber + 1);
  writer.message(4, (location) => {
    location.number(1, id);
    location.number(2, 1);
    location.message(4, (inner) => {
      inner.number(1, id);
      inner.number(2, line);
    });
  });
  writer.message(5, (inner) => {
    inner.number(1, id);
    inner.number(2, name);
    inner.number(3, name);
    inner.number(4, strings.numberOf(frame.url));
    inner.number(5, line);
  });
}
