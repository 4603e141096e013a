import { BodyError } from './body-error.ts';
import { cost, valueLimit } from './json-scanner.ts';

/** The wire type of a number: seven bits in each byte. */
export const wireNumber = 0;
/** The wire type of bytes with a length: text and messages. */
export const wireBytes = 2;
const wireFixed64 = 1;
const wireFixed32 = 5;

/** How a number is decoded. */
type NumberType =
  /** An int32 that JSON omits if it is 0. */
  | { readonly kind: 'integer' }
  /** An int32 that JSON has even if it is 0. */
  | { readonly kind: 'optional integer' }
  /** A pointer to a boolean. */
  | { readonly kind: 'optional boolean' };

/** How bytes with a length are decoded. */
type BytesType =
  /** A text that JSON omits if it is empty. */
  | { readonly kind: 'text' }
  /** A text that may be absent: a pointer in the API. */
  | { readonly kind: 'optional text' }
  /** metav1.Time, in seconds: a Date, which is a text in JSON. */
  | { readonly kind: 'time' }
  | { readonly kind: 'texts' }
  /** map<string, string>, of which only wanted keys are decoded. */
  | { readonly kind: 'map'; readonly isWanted: (key: string) => boolean }
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'messages'; readonly message: Message }
  /** The bytes of another message, as a view that is valid as long as the input. */
  | { readonly kind: 'bytes' };

/** How a field is decoded. */
export type FieldType = NumberType | BytesType;

/** The name of a field in JSON, and its type. */
export interface Field {
  readonly name: string;
  readonly type: FieldType;
}

interface NumberField {
  readonly wireType: typeof wireNumber;
  readonly name: string;
  readonly type: NumberType;
}

interface BytesField {
  readonly wireType: typeof wireBytes;
  readonly name: string;
  readonly type: BytesType;
}

type WireField = NumberField | BytesField;

/** The fields of a message that are read, by number. All others are skipped. */
export type Message = readonly (WireField | undefined)[];

/** Makes the table of a message. */
export function message(fields: Readonly<Record<number, Field>>): Message {
  const table: (WireField | undefined)[] = [];
  for (const [number, { name, type }] of Object.entries(fields)) {
    table[Number(number)] = isNumber(type)
      ? { wireType: wireNumber, name, type }
      : { wireType: wireBytes, name, type };
  }
  return table;
}

/** A value under construction. */
type Value = Record<string, unknown>;

/**
 * The wanted fields of a message, as in JSON but for times. Throws a BodyError for invalid bytes, and for a value that would need too much
 * memory. Never allocates by a length that the input does not have, and never looks into unwanted fields.
 */
export function decodeMessage(bytes: Uint8Array, table: Message): Readonly<Value> {
  const decoder = new Decoder(bytes);
  return decoder.message(bytes.length, table, {});
}

/** `toString('utf8')` without a look at the name of the encoding, which takes half as long again as a short text. */
interface Texts {
  utf8Slice(start: number, end: number): string;
}

class Decoder {
  readonly #bytes: Buffer & Texts;
  #at = 0;
  #cost = 0;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#bytes = Buffer.from(buffer, byteOffset, byteLength) as Buffer & Texts; // Node's buffers have it
  }

  /** Decodes up to `end` into a value. A message in two parts is merged. */
  message(end: number, table: Message, value: Value): Value {
    this.#charge(cost.collection);
    while (this.#at < end) {
      const tag = this.#varint(end);
      const wireType = tag & 7;
      const field = tag < 2 ** 31 ? table[tag >> 3] : undefined;
      if (field === undefined) this.#skip(end, wireType);
      else if (wireType !== field.wireType)
        throw new BodyError(`field ${field.name} has wire type ${wireType}`);
      else if (field.wireType === wireNumber) this.#number(field, value, this.#varint(end));
      else this.#bytesField(field, value, this.#end(end));
    }
    return value;
  }

  #number({ name, type }: NumberField, value: Value, number: number): void {
    const integer = number | 0; // int32: Go uses the lower half too
    switch (type.kind) {
      case 'integer':
        if (integer !== 0) this.#set(value, name, integer);
        return;
      case 'optional integer':
        return this.#set(value, name, integer);
      case 'optional boolean':
        return this.#set(value, name, number !== 0);
    }
  }

  /** Decodes a field whose bytes end at `end`. */
  #bytesField({ name, type }: BytesField, value: Value, end: number): void {
    switch (type.kind) {
      case 'text':
        if (end > this.#at) this.#set(value, name, this.#text(end));
        return;
      case 'optional text':
        return this.#set(value, name, this.#text(end));
      case 'texts':
        return this.#push(value, name, this.#text(end));
      case 'messages':
        return this.#push(value, name, this.message(end, type.message, {}));
      case 'message':
        return this.#set(value, name, this.message(end, type.message, partOf(value, name)));
      case 'map': {
        const map = partOf(value, name);
        this.#entry(end, type.isWanted, map);
        return this.#set(value, name, map);
      }
      case 'time': {
        const seconds = this.#seconds(end);
        if (seconds !== 0) this.#set(value, name, new Date(seconds * 1000));
        return;
      }
      case 'bytes':
        this.#set(value, name, this.#bytes.subarray(this.#at, end));
        this.#at = end;
    }
  }

  /** Decodes one entry of a map. The text of an unwanted key is not created. */
  #entry(end: number, isWanted: (key: string) => boolean, map: Value): void {
    let key = '';
    let start = 0;
    let stop = 0;
    while (this.#at < end) {
      const tag = this.#varint(end);
      if (tag === keyTag) key = this.#text(this.#end(end));
      else if (tag === valueTag) {
        stop = this.#end(end);
        start = this.#at;
        this.#at = stop;
      } else this.#skip(end, tag % 8);
    }
    if (!isWanted(key)) return;
    this.#charge(cost.member + cost.string);
    map[key] = this.#bytes.utf8Slice(start, stop);
  }

  #seconds(end: number): number {
    let seconds = 0;
    while (this.#at < end) {
      const tag = this.#varint(end);
      if (tag === secondsTag) seconds = this.#varint(end);
      else this.#skip(end, tag % 8);
    }
    return seconds;
  }

  #set(value: Value, name: string, part: unknown): void {
    this.#charge(cost.member);
    value[name] = part;
  }

  #push(value: Value, name: string, part: unknown): void {
    const list = value[name] as unknown[] | undefined; // a name has one type
    this.#charge(cost.element);
    if (list !== undefined) list.push(part);
    else {
      this.#charge(cost.collection);
      this.#set(value, name, [part]);
    }
  }

  #text(end: number): string {
    this.#charge(cost.string);
    const start = this.#at;
    this.#at = end;
    return this.#bytes.utf8Slice(start, end);
  }

  /** The end of the bytes whose length is at the present position. */
  #end(end: number): number {
    const length = this.#varint(end);
    if (length < 0 || length > end - this.#at)
      throw new BodyError(`${length} bytes in a message that has ${end - this.#at} left`);
    return this.#at + length;
  }

  /** A number of up to ten bytes with seven bits each, as int64; exact up to 53 bits. Most have one byte. */
  #varint(end: number): number {
    const first = this.#at < end ? (this.#bytes[this.#at] ?? 0) : 0x80;
    if (first >= 0x80) return this.#longVarint(end);
    this.#at++;
    return first;
  }

  #longVarint(end: number): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= end) throw new BodyError('a message breaks off');
      const byte = this.#bytes[this.#at++] ?? 0;
      const bits = byte & 0x7f;
      if (shift < 28) low += bits * 2 ** shift;
      else if (shift === 28) {
        low += (bits & 0xf) * 2 ** 28;
        high = bits >> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) return high * 2 ** 32 + low;
    }
    throw new BodyError('a number of more than ten bytes');
  }

  #skip(end: number, wireType: number): void {
    switch (wireType) {
      case wireNumber:
        this.#varint(end);
        return;
      case wireBytes:
        this.#at = this.#end(end);
        return;
      case wireFixed64:
      case wireFixed32:
        this.#at += wireType === wireFixed64 ? 8 : 4;
        if (this.#at > end) throw new BodyError('a message breaks off');
        return;
      default:
        throw new BodyError(`wire type ${wireType}`);
    }
  }

  #charge(bytes: number): void {
    this.#cost += bytes;
    if (this.#cost > valueLimit)
      throw new BodyError(`a value that needs more than ${valueLimit} bytes`);
  }
}

const keyTag = 1 * 8 + wireBytes;
const valueTag = 2 * 8 + wireBytes;
const secondsTag = 1 * 8 + wireNumber;

function isNumber(type: FieldType): type is NumberType {
  const { kind } = type;
  return kind === 'integer' || kind === 'optional integer' || kind === 'optional boolean';
}

function partOf(value: Value, name: string): Value {
  return (value[name] as Value | undefined) ?? {}; // a name has one type
}
