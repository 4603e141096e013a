import type { Codec, Field } from './codec.ts';
import { DecodeError, type Reader } from './reader.ts';
import { EncodeError, type Writer } from './writer.ts';

/** NLA_F_* of linux/netlink.h: the two highest bits of an attribute's type. */
const NLA_F_NESTED = 0x8000;
const NLA_F_NET_BYTEORDER = 0x4000;
/** NLA_TYPE_MASK of linux/netlink.h: a type without its flag bits. */
export const NLA_TYPE_MASK = 0x3fff;
/** NLA_HDRLEN of linux/netlink.h: length and type, two bytes each. */
export const NLA_HEADER_LENGTH = 4;

const longest = 0xffff;

/** `netByteOrder`: sets NLA_F_NET_BYTEORDER, which ipset requires. The byte order itself is the codec's. */
interface FieldOptions {
  readonly netByteOrder?: boolean;
}

/** An attribute that must be present. */
export function required<T>(
  type: number,
  codec: Codec<T>,
  options: FieldOptions = {},
): Field<T, 'required'> {
  return { type, codec, presence: 'required', isNetByteOrder: options.netByteOrder ?? false };
}

/** An attribute that may be missing. If there are several, the last one counts, as in the kernel. */
export function optional<T>(
  type: number,
  codec: Codec<T>,
  options: FieldOptions = {},
): Field<T, 'optional'> {
  return { type, codec, presence: 'optional', isNetByteOrder: options.netByteOrder ?? false };
}

/** An attribute that is present once for each element of a list. */
export function repeated<T>(
  type: number,
  codec: Codec<T>,
  options: FieldOptions = {},
): Field<T, 'repeated'> {
  return { type, codec, presence: 'repeated', isNetByteOrder: options.netByteOrder ?? false };
}

type Simplify<T> = { [K in keyof T]: T[K] };

/** The value of an attribute table. */
export type AttributesOf<F> = Simplify<
  {
    readonly [K in keyof F as F[K] extends Field<unknown, 'required'>
      ? K
      : never]: F[K] extends Field<infer T> ? T : never;
  } & {
    readonly [K in keyof F as F[K] extends Field<unknown, 'optional'> ? K : never]?:
      | (F[K] extends Field<infer T> ? T : never)
      | undefined;
  } & {
    readonly [K in keyof F as F[K] extends Field<unknown, 'repeated'>
      ? K
      : never]: readonly (F[K] extends Field<infer T> ? T : never)[];
  }
>;

interface Row extends Field {
  readonly name: string;
  /** The type with its flag bits, as it is written. */
  readonly wireType: number;
}

/**
 * An attribute set, up to the reader's end. `name` is the kernel's prefix (`IPVS_SVC_ATTR`), which errors and traces show.
 * Written in the order of the table; read in any order, unknown attributes ignored. An attribute whose codec is an attribute
 * set again gets the nested flag.
 */
export function attributes<const F extends Readonly<Record<string, Field>>>(
  name: string,
  fields: F,
): Codec<AttributesOf<F>> {
  const rows = Object.entries(fields).map(([field, row]) => rowOf(field, row));
  const rowByType: (Row | undefined)[] = [];
  for (const row of rows) rowByType[row.type] = row;
  return {
    shape: { kind: 'attributes', name, fields },
    encode(writer, value) {
      let current = '';
      try {
        for (const row of rows) {
          current = row.name;
          encodeRow(writer, row, (value as Readonly<Record<string, unknown>>)[row.name]);
        }
      } catch (error) {
        throw error instanceof EncodeError ? error.within(`${name}.${current}`) : error;
      }
    },
    decode(reader) {
      const value = decodeRows(reader, rowByType, name);
      for (const row of rows) {
        if (value[row.name] !== undefined) continue;
        if (row.presence === 'required') throw new DecodeError('missing', [`${name}.${row.name}`]);
        if (row.presence === 'repeated') value[row.name] = [];
      }
      return value as AttributesOf<F>; // built from the same table as the type
    },
  };
}

function rowOf(name: string, field: Field): Row {
  if ((field.type & NLA_TYPE_MASK) !== field.type)
    throw new RangeError(`attribute ${name} has type ${field.type}`);
  const nested = isNested(field.codec) ? NLA_F_NESTED : 0;
  return {
    ...field,
    name,
    wireType: field.type + nested + (field.isNetByteOrder ? NLA_F_NET_BYTEORDER : 0),
  };
}

function isNested({ shape }: Codec<unknown>): boolean {
  return shape.kind === 'mapped' ? isNested(shape.inner) : shape.kind === 'attributes';
}

/** Fills the attribute that was written last and is still empty. Throws {@link EncodeError} if it gets too long. */
export function fillLastAttribute(writer: Writer, fill: () => void): void {
  const start = writer.length - NLA_HEADER_LENGTH;
  fill();
  closeAttribute(writer, start);
}

/** Calls back for each attribute of a type up to the reader's end; meanwhile the end is that of its payload. Skips all others. */
export function eachAttribute(reader: Reader, type: number, visit: () => void): void {
  while (reader.remaining >= NLA_HEADER_LENGTH) {
    const payload = reader.u16() - NLA_HEADER_LENGTH;
    const isWanted = (reader.u16() & NLA_TYPE_MASK) === type;
    const end = reader.narrow(payload);
    if (isWanted) visit();
    reader.skip(reader.remaining);
    reader.end = end;
    reader.skip(Math.min(-payload & 3, reader.remaining));
  }
  if (reader.remaining > 0) throw new DecodeError(`${reader.remaining} bytes too many`);
}

function encodeRow(writer: Writer, row: Row, value: unknown): void {
  if (row.presence === 'repeated') {
    for (const element of value as readonly unknown[]) encodeAttribute(writer, row, element);
  } else if (value !== undefined) encodeAttribute(writer, row, value);
  else if (row.presence === 'required') throw new EncodeError('missing');
}

function encodeAttribute(writer: Writer, { wireType, codec }: Row, value: unknown): void {
  const start = writer.length;
  writer.u16(0);
  writer.u16(wireType);
  codec.encode(writer, value);
  closeAttribute(writer, start);
}

function closeAttribute(writer: Writer, start: number): void {
  const length = writer.length - start;
  if (length > longest) throw new EncodeError(`${length} bytes long, at most ${longest} fit`);
  writer.patchU16(start, length);
  writer.align();
}

function decodeRows(
  reader: Reader,
  rowByType: readonly (Row | undefined)[],
  name: string,
): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  while (reader.remaining >= NLA_HEADER_LENGTH) {
    const length = reader.u16();
    const row = rowByType[reader.u16() & NLA_TYPE_MASK];
    const payload = length - NLA_HEADER_LENGTH;
    if (payload < 0 || payload > reader.remaining) {
      throw new DecodeError(
        `attribute of ${length} bytes, ${reader.remaining + NLA_HEADER_LENGTH} left`,
        [place(name, row)],
      );
    }
    if (row === undefined) reader.skip(payload);
    else decodeRow(reader, { row, payload, value, name });
    reader.skip(Math.min(-payload & 3, reader.remaining));
  }
  if (reader.remaining > 0) throw new DecodeError(`${reader.remaining} bytes too many`, [name]);
  return value;
}

function decodeRow(
  reader: Reader,
  {
    row,
    payload,
    value,
    name,
  }: { row: Row; payload: number; value: Record<string, unknown>; name: string },
): void {
  const end = reader.narrow(payload);
  try {
    const part = row.codec.decode(reader);
    if (reader.remaining > 0) throw new DecodeError(`${reader.remaining} bytes too many`);
    if (row.presence !== 'repeated') value[row.name] = part;
    else if (value[row.name] === undefined) value[row.name] = [part];
    else (value[row.name] as unknown[]).push(part);
  } catch (error) {
    throw error instanceof DecodeError ? error.within(place(name, row)) : error;
  }
  reader.end = end;
}

function place(name: string, row: Row | undefined): string {
  return row === undefined ? name : `${name}.${row.name}`;
}
