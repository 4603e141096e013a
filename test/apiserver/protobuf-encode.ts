import type { Json } from './objects.ts';
import { type FieldType, isList, kinds, type Message } from './protobuf.ts';

/** Kubernetes' protobuf, as a media type. */
export const protobufType = 'application/vnd.kubernetes.protobuf';

const prefix = Buffer.from('k8s\0', 'latin1');

/** Whether objects of a kind, and lists and watches of them, can be answered in protobuf. */
export function hasProtobuf(kind: string): boolean {
  return Object.hasOwn(kinds, kind);
}

/** An object as an API server writes it: with its prefix, its type, and `runtime.Unknown` around it. */
export function encodeObject(object: Json): Buffer {
  const writer = new BackwardWriter();
  writeObject(writer, object);
  return writer.taken();
}

/** A list as an API server writes it. */
export function encodeList(
  head: { readonly kind: string; readonly apiVersion: string; readonly metadata: Json },
  items: readonly Json[],
): Buffer {
  const { kind, apiVersion, metadata } = head;
  const table = kinds[kind.replace(/List$/, '')] ?? {};
  const writer = new BackwardWriter();
  writeWrapped(writer, { apiVersion, kind }, () => {
    for (const item of items.toReversed()) writer.field(2, () => writeMessage(writer, item, table));
    writer.field(1, () => writeMessage(writer, metadata, listMetadata));
  });
  return writer.taken();
}

/** A frame of a watch: its length, and an event with an object in it. */
export function encodeFrame({ type, object }: { type: string; object: Json }): Buffer {
  const writer = new BackwardWriter();
  writer.field(2, () => writer.field(1, () => writeObject(writer, object)));
  writer.field(1, () => writer.text(type));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(writer.length);
  writer.bytes(length);
  return writer.taken();
}

/** A message of any table; what the table does not know is left out. */
export function encodeMessage(value: Json, message: Message): Buffer {
  const writer = new BackwardWriter();
  writeMessage(writer, value, message);
  return writer.taken();
}

const listMetadata: Message = {
  1: ['selfLink', 'text'],
  2: ['resourceVersion', 'text'],
  3: ['continue', 'text'],
  4: ['remainingItemCount', 'number?'],
};

/**
 * Writes from the end to the beginning. So the length of what is in a field is known when its head is written, and nothing is copied
 * from one message into the next.
 */
class BackwardWriter {
  #buffer = Buffer.allocUnsafe(4096);
  #start = this.#buffer.length;

  get length(): number {
    return this.#buffer.length - this.#start;
  }

  /** All that was written, which is the writer's own. */
  taken(): Buffer {
    return this.#buffer.subarray(this.#start);
  }

  bytes(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#begin(bytes.length));
  }

  text(text: string): void {
    const start = this.#begin(Buffer.byteLength(text));
    this.#buffer.write(text, start);
  }

  /** A negative number is written as the 64 bits of its two's complement. */
  varint(value: number): void {
    const bytes: number[] = [];
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
      bytes.push(Number(rest));
      return this.bytes(Uint8Array.from(bytes));
    }
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
    bytes.push(rest);
    const start = this.#begin(bytes.length);
    for (const [index, byte] of bytes.entries()) this.#buffer[start + index] = byte;
  }

  number(field: number, value: number): void {
    this.varint(value);
    this.varint(field * 8);
  }

  /** A field of bytes: those that `write` writes. */
  field(field: number, write: () => void): void {
    const before = this.length;
    write();
    this.varint(this.length - before);
    this.varint(field * 8 + 2);
  }

  /** Makes room for so many bytes before all others; where it begins. */
  #begin(count: number): number {
    if (count > this.#start) {
      const { length } = this;
      const larger = Buffer.allocUnsafe(2 * (length + count));
      larger.set(this.taken(), larger.length - length);
      this.#buffer = larger;
      this.#start = larger.length - length;
    }
    this.#start -= count;
    return this.#start;
  }
}

function writeObject(writer: BackwardWriter, object: Json): void {
  const { apiVersion, kind } = object;
  writeWrapped(writer, { apiVersion, kind }, () =>
    writeMessage(writer, object, kinds[String(kind)] ?? {}),
  );
}

function writeWrapped(writer: BackwardWriter, typeMeta: Json, writeRaw: () => void): void {
  writer.field(4, () => undefined);
  writer.field(3, () => undefined);
  writer.field(2, writeRaw);
  writer.field(1, () => writeMessage(writer, typeMeta, typeTable));
  writer.bytes(prefix);
}

const typeTable: Message = { 1: ['apiVersion', 'text'], 2: ['kind', 'text'] };

function writeMessage(writer: BackwardWriter, value: Json, message: Message): void {
  for (const number of Object.keys(message).map(Number).reverse()) {
    const [name, type] = message[number] ?? ['', 'any'];
    writeField(writer, { number, type, value: value[name] ?? undefined });
  }
}

function writeField(
  writer: BackwardWriter,
  { number, type, value }: { number: number; type: FieldType; value: unknown },
): void {
  const isPointer = type !== 'text' && type !== 'number' && type !== 'boolean';
  // What is no pointer is written even if it is empty.
  if (isPointer && value === undefined) return;
  switch (type) {
    case 'text':
    case 'text?':
      return writer.field(number, () => writer.text(textOf(value ?? '')));
    case 'number':
    case 'number?':
      return writer.number(number, numberOf(value ?? 0));
    case 'boolean':
    case 'boolean?':
      return writer.number(number, value === true ? 1 : 0);
    case 'any':
      return;
    case 'time':
      return writer.field(number, () => writeTime(writer, textOf(value)));
    case 'integer or text':
      return writer.field(number, () => writeIntegerOrText(writer, value));
    case 'text[]':
      for (const text of listOf(value).toReversed())
        writer.field(number, () => writer.text(textOf(text)));
      return;
    case 'text{}':
      for (const [key, text] of Object.entries(value as Json).reverse())
        writer.field(number, () => writeMessage(writer, { key, text }, entry));
      return;
    default:
      if (!isList(type)) writer.field(number, () => writeMessage(writer, value as Json, type));
      else
        for (const item of listOf(value).toReversed())
          writer.field(number, () => writeMessage(writer, item as Json, type[0]));
  }
}

const entry: Message = { 1: ['key', 'text'], 2: ['text', 'text'] };

function writeTime(writer: BackwardWriter, text: string): void {
  const milliseconds = Date.parse(text);
  if (!Number.isNaN(milliseconds)) writer.number(1, Math.floor(milliseconds / 1000));
}

function writeIntegerOrText(writer: BackwardWriter, value: unknown): void {
  if (typeof value === 'string') {
    writer.field(3, () => writer.text(value));
    writer.number(2, 0);
    writer.number(1, 1);
  } else {
    writer.number(2, numberOf(value));
    writer.number(1, 0);
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Protobuf has no place for a value of another type than the API's: the server that stored it would not have. */
function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`${JSON.stringify(value)} is no text`);
  return value;
}

function numberOf(value: unknown): number {
  if (!Number.isInteger(value)) throw new TypeError(`${JSON.stringify(value)} is no whole number`);
  return value as number;
}
