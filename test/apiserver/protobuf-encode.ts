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
  const raw = encodeMessage(object, kinds[String(object['kind'])] ?? {});
  return wrapped({ apiVersion: object['apiVersion'], kind: object['kind'] }, raw);
}

/** A list as an API server writes it. */
export function encodeList(
  head: { readonly kind: string; readonly apiVersion: string; readonly metadata: Json },
  items: readonly Json[],
): Buffer {
  const { kind, apiVersion, metadata } = head;
  const table = kinds[kind.replace(/List$/, '')] ?? {};
  const raw = Buffer.concat([
    bytesField(1, encodeMessage(metadata, listMetadata)),
    ...items.map((item) => bytesField(2, encodeMessage(item, table))),
  ]);
  return wrapped({ apiVersion, kind }, raw);
}

/** A frame of a watch: its length, and an event with an object in it. */
export function encodeFrame({ type, object }: { type: string; object: Json }): Buffer {
  const event = Buffer.concat([
    bytesField(1, Buffer.from(type)),
    bytesField(2, bytesField(1, encodeObject(object))),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}

const listMetadata: Message = {
  1: ['selfLink', 'text'],
  2: ['resourceVersion', 'text'],
  3: ['continue', 'text'],
  4: ['remainingItemCount', 'number?'],
};

function wrapped(typeMeta: Json, raw: Buffer): Buffer {
  const type = encodeMessage(typeMeta, { 1: ['apiVersion', 'text'], 2: ['kind', 'text'] });
  const none = Buffer.alloc(0);
  return Buffer.concat([
    prefix,
    bytesField(1, type),
    bytesField(2, raw),
    bytesField(3, none),
    bytesField(4, none),
  ]);
}

/** A message of any table; what the table does not know is left out. */
export function encodeMessage(value: Json, message: Message): Buffer {
  const fields = Object.entries(message).map(([number, [name, type]]) =>
    encodeField(Number(number), type, value[name] ?? undefined),
  );
  return Buffer.concat(fields);
}

function encodeField(number: number, type: FieldType, value: unknown): Buffer {
  const none = Buffer.alloc(0);
  switch (type) {
    // What is no pointer is written even if it is empty.
    case 'text':
      return bytesField(number, Buffer.from(textOf(value ?? '')));
    case 'number':
      return numberField(number, numberOf(value ?? 0));
    case 'boolean':
      return numberField(number, value === true ? 1 : 0);
    case 'text?':
      return value === undefined ? none : bytesField(number, Buffer.from(textOf(value)));
    case 'number?':
      return value === undefined ? none : numberField(number, numberOf(value));
    case 'boolean?':
      return value === undefined ? none : numberField(number, value === true ? 1 : 0);
    case 'any':
      return none;
    case 'time':
      return value === undefined ? none : bytesField(number, encodeTime(textOf(value)));
    case 'integer or text':
      return value === undefined ? none : bytesField(number, encodeIntegerOrText(value));
    case 'text[]':
      return Buffer.concat(
        listOf(value).map((text) => bytesField(number, Buffer.from(textOf(text)))),
      );
    case 'text{}':
      return Buffer.concat(
        Object.entries((value ?? {}) as Json).map(([key, text]) =>
          bytesField(number, encodeMessage({ key, text }, entry)),
        ),
      );
    default:
      if (isList(type))
        return Buffer.concat(
          listOf(value).map((item) => bytesField(number, encodeMessage(item as Json, type[0]))),
        );
      return value === undefined ? none : bytesField(number, encodeMessage(value as Json, type));
  }
}

const entry: Message = { 1: ['key', 'text'], 2: ['text', 'text'] };

function encodeTime(text: string): Buffer {
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds)
    ? Buffer.alloc(0)
    : numberField(1, Math.floor(milliseconds / 1000));
}

function encodeIntegerOrText(value: unknown): Buffer {
  return typeof value === 'string'
    ? Buffer.concat([numberField(1, 1), numberField(2, 0), bytesField(3, Buffer.from(value))])
    : Buffer.concat([numberField(1, 0), numberField(2, numberOf(value))]);
}

function bytesField(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(BigInt(number * 8 + 2)), varint(BigInt(bytes.length)), bytes]);
}

function numberField(number: number, value: number): Buffer {
  return Buffer.concat([varint(BigInt(number * 8)), varint(BigInt.asUintN(64, BigInt(value)))]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 0x7fn) | 0x80);
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
