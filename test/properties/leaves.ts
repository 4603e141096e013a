import fc from 'fast-check';
import type { Codec, Field } from '../../pkg/wire/codec.ts';
import { valuesOf } from './generators.ts';

/** A number, or bytes, in a table's value. */
export interface Leaf {
  readonly path: readonly string[];
  readonly value: number | Uint8Array;
}

/** The numbers and the bytes of a value that always have the same length; none of what is repeated, mapped or empty. */
export function leavesOf(
  codec: Codec<unknown>,
  value: unknown,
  path: readonly string[] = [],
): readonly Leaf[] {
  const { shape } = codec;
  if (value === undefined) return [];
  if (shape.kind === 'integer') return [{ path, value: value as number }];
  if (shape.kind === 'bytes') {
    const bytes = value as Uint8Array;
    return bytes.length === 0 ? [] : [{ path, value: bytes }];
  }
  if (shape.kind === 'prefixed') return leavesOf(shape.inner, value, path);
  return partsOf(codec).flatMap(([name, part]) =>
    leavesOf(part, (value as Readonly<Record<string, unknown>>)[name], [...path, name]),
  );
}

/** Values like this one whose numbers and bytes are others. */
export function withLeaves(codec: Codec<unknown>, value: unknown): fc.Arbitrary<unknown> {
  const { shape } = codec;
  if (value === undefined) return fc.constant(undefined);
  if (shape.kind === 'integer') return valuesOf(codec);
  if (shape.kind === 'bytes') {
    const { length } = value as Uint8Array;
    return fc.uint8Array({ minLength: length, maxLength: length });
  }
  if (shape.kind === 'prefixed') return withLeaves(shape.inner, value);
  const record = value as Readonly<Record<string, unknown>>;
  const parts = partsOf(codec).filter(([name]) => record[name] !== undefined);
  if (parts.length === 0) return fc.constant(value);
  const changed = fc.record(
    Object.fromEntries(parts.map(([name, part]) => [name, withLeaves(part, record[name])])),
  );
  return changed.map((others) => ({ ...record, ...others }));
}

function partsOf({ shape }: Codec<unknown>): readonly (readonly [string, Codec<unknown>])[] {
  if (shape.kind === 'struct')
    return Object.entries(shape.fields).filter(([, { shape: part }]) => part.kind !== 'padding');
  if (shape.kind !== 'attributes') return [];
  const isSingle = ([, { presence }]: [string, Field]) => presence !== 'repeated';
  return Object.entries(shape.fields)
    .filter(isSingle)
    .map(([name, field]) => [name, field.codec]);
}
