import { NLA_HEADER_LENGTH, NLA_TYPE_MASK } from './attributes.ts';
import { type Codec, decode, type Field } from './codec.ts';
import { isLittleEndian, Reader } from './reader.ts';

/** The place of a value in a message. */
export interface ValuePlace {
  /** From the start of the message. */
  readonly at: number;
  readonly length: number;
  readonly isLittleEndian: boolean;
  readonly isSigned: boolean;
}

/** The layout of one message: the places of its attribute headers and its values, by the table that decoded it. */
export class Layout {
  /** False if an attribute is present twice, which the layout cannot represent. */
  readonly isComplete: boolean;
  /** Pairs: the offset of an attribute header in the message, and its four bytes in the host's order. */
  readonly headers: number[] = [];
  /** By the path in the table's value, `dest.port`. Repeated attributes have no place. */
  readonly values = new Map<string, ValuePlace>();
  readonly #reader: Reader;
  readonly #start: number;

  /** The message is between the reader's offset and its end. The reader is not moved. */
  constructor(codec: Codec<unknown>, { bytes, offset, end }: Reader) {
    this.#reader = new Reader(bytes, offset, end);
    this.#start = offset;
    this.isComplete = this.#walk(codec, '');
  }

  #walk(codec: Codec<unknown>, path: string): boolean {
    const { shape } = codec;
    switch (shape.kind) {
      case 'integer':
        return this.#take(path, codec, shape.bits / 8);
      case 'u64':
        return this.#take(path, codec, 8);
      case 'bytes':
      case 'cstring':
        return this.#take(path, codec, this.#reader.remaining);
      case 'padding':
        this.#reader.skip(shape.length);
        return true;
      case 'flag':
        return true;
      case 'prefixed':
        this.#reader.skip(shape.prefix.length);
        return this.#walk(shape.inner, path);
      case 'mapped':
        return this.#walk(shape.inner, path);
      case 'struct':
        return Object.entries(shape.fields).every(([name, field]) =>
          this.#walk(field, join(path, name)),
        );
      case 'attributes':
        return this.#walkAttributes(shape.fields, path);
    }
  }

  #walkAttributes(fields: Readonly<Record<string, Field>>, path: string): boolean {
    const reader = this.#reader;
    const left = new Map(Object.entries(fields));
    while (reader.remaining >= NLA_HEADER_LENGTH) {
      const at = reader.offset;
      this.headers.push(at - this.#start, reader.view.getUint32(at, isLittleEndian));
      const payload = reader.u16() - NLA_HEADER_LENGTH;
      const type = reader.u16() & NLA_TYPE_MASK;
      const end = reader.narrow(payload);
      const known = Object.entries(fields).find(([, field]) => field.type === type);
      if (known !== undefined && known[1].presence !== 'repeated') {
        const [name, { codec }] = known;
        if (!left.delete(name) || !this.#walk(codec, join(path, name))) return false;
      }
      reader.skip(reader.remaining);
      reader.end = end;
      reader.skip(Math.min(-payload & 3, reader.remaining));
    }
    return true;
  }

  #take(path: string, codec: Codec<unknown>, length: number): boolean {
    const at = this.#reader.offset - this.#start;
    this.#reader.skip(length);
    const isSigned = codec.shape.kind === 'integer' && codec.shape.isSigned;
    this.values.set(path, { at, length, isSigned, isLittleEndian: isLowestFirst(codec, length) });
    return true;
  }
}

/** Whether the first byte of a scalar is its lowest; text and bytes have no order. */
function isLowestFirst(codec: Codec<unknown>, length: number): boolean {
  const { kind } = codec.shape;
  if (kind !== 'integer' && kind !== 'u64') return isLittleEndian;
  const one = new Uint8Array(length);
  one[0] = 1;
  return Number(decode(codec, one)) === 1;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
