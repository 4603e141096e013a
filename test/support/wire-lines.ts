import type { Codec, Field, Shape } from '../../pkg/wire/codec.ts';

const headerLength = 4;
const NLA_F_NET_BYTEORDER = 0x4000;
const NLA_TYPE_MASK = 0x3fff;

/**
 * A netlink payload as lines, sorted: a header's bytes, and each attribute by its path with the bytes of its value, as they stand there.
 * Their order, padding and the flag NLA_F_NESTED, which programs treat differently, are left out. The codec only determines which attributes hold
 * others, and how they are called: those that it does not know are called by their number.
 */
function wireLines({ shape }: Codec<unknown>, payload: Uint8Array): readonly string[] {
  return [...linesOf(shape, Buffer.from(payload), '')].toSorted();
}

function* linesOf(shape: Shape, bytes: Buffer, path: string): Generator<string> {
  if (shape.kind === 'mapped') yield* linesOf(shape.inner.shape, bytes, path);
  else if (shape.kind === 'attributes') yield* attributeLines(shape.fields, bytes, path);
  else if (shape.kind === 'prefixed') {
    const { length } = shape.prefix;
    yield `header ${bytes.toString('hex', 0, length)}`;
    yield* linesOf(shape.inner.shape, bytes.subarray(length), path);
  } else if (shape.kind === 'struct' && path === '') yield* headerLines(shape.fields, bytes);
  else yield `${path} ${bytes.toString('hex')}`;
}

/** A fixed header, and behind it the attributes. */
function* headerLines(
  fields: Readonly<Record<string, Codec<unknown>>>,
  bytes: Buffer,
): Generator<string> {
  let at = 0;
  for (const { shape } of Object.values(fields)) {
    const size = sizeOf(shape);
    if (size === undefined) {
      yield `header ${bytes.toString('hex', 0, at)}`;
      yield* linesOf(shape, bytes.subarray(at), '');
      return;
    }
    at += size;
  }
}

/** Bytes of a part of a header; `undefined` for what goes up to the end. */
function sizeOf(shape: Shape): number | undefined {
  if (shape.kind === 'integer') return shape.bits / 8;
  if (shape.kind === 'padding') return shape.length;
  return undefined;
}

function* attributeLines(
  fields: Readonly<Record<string, Field>>,
  bytes: Buffer,
  path: string,
): Generator<string> {
  for (let at = 0; at + headerLength <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    const wireType = bytes.readUInt16LE(at + 2);
    const value = bytes.subarray(at + headerLength, at + length);
    const [name, field] =
      Object.entries(fields).find(([, { type }]) => type === (wireType & NLA_TYPE_MASK)) ?? [];
    const order = (wireType & NLA_F_NET_BYTEORDER) !== 0 ? ' in network order' : '';
    const called = `${path}.${name ?? wireType & NLA_TYPE_MASK}${order}`;
    if (field === undefined) yield `${called} ${value.toString('hex')}`;
    else yield* linesOf(field.codec.shape, value, called);
    at += Math.max(headerLength, (length + 3) & ~3);
  }
}

/**
 * In what a request differs from another program's: lines that only `ours` has, and such that only `theirs` has, without a value where the
 * whole attribute is missing in ours.
 */
export function wireDifferences(
  codec: Codec<unknown>,
  { ours, theirs }: { readonly ours: Uint8Array; readonly theirs: Uint8Array },
): readonly string[] {
  const own = wireLines(codec, ours);
  const other = wireLines(codec, theirs);
  const paths = new Set(own.map(pathOf));
  return [
    ...own.filter((line) => !other.includes(line)).map((line) => `ours ${line}`),
    ...other
      .filter((line) => !own.includes(line))
      .map((line) => `theirs ${paths.has(pathOf(line)) ? line : pathOf(line)}`),
  ];
}

function pathOf(line: string): string {
  return line.slice(0, line.lastIndexOf(' '));
}
