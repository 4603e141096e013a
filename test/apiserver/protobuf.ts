import type { Json } from './objects.ts';
import { badRequest } from './status.ts';

/** A message: its fields by number, each with its name in JSON and its type. `[]` is a list, `{}` a map of texts. */
interface Message {
  readonly [number: number]: readonly [name: string, type: FieldType];
}

type FieldType =
  | 'text'
  | 'number'
  | 'boolean'
  | 'text[]'
  | 'text{}'
  | 'time'
  | 'integer or text'
  | Message
  | readonly [Message];

const metadata: Message = {
  1: ['name', 'text'],
  2: ['generateName', 'text'],
  3: ['namespace', 'text'],
  5: ['uid', 'text'],
  6: ['resourceVersion', 'text'],
  8: ['creationTimestamp', 'time'],
  11: ['labels', 'text{}'],
  12: ['annotations', 'text{}'],
  14: ['finalizers', 'text[]'],
};

const servicePort: Message = {
  1: ['name', 'text'],
  2: ['protocol', 'text'],
  3: ['port', 'number'],
  4: ['targetPort', 'integer or text'],
  5: ['nodePort', 'number'],
  6: ['appProtocol', 'text'],
};

const serviceSpec: Message = {
  1: ['ports', [servicePort]],
  2: ['selector', 'text{}'],
  3: ['clusterIP', 'text'],
  4: ['type', 'text'],
  5: ['externalIPs', 'text[]'],
  7: ['sessionAffinity', 'text'],
  8: ['loadBalancerIP', 'text'],
  9: ['loadBalancerSourceRanges', 'text[]'],
  10: ['externalName', 'text'],
  11: ['externalTrafficPolicy', 'text'],
  12: ['healthCheckNodePort', 'number'],
  13: ['publishNotReadyAddresses', 'boolean'],
  14: ['sessionAffinityConfig', { 1: ['clientIP', { 1: ['timeoutSeconds', 'number'] }] }],
  17: ['ipFamilyPolicy', 'text'],
  18: ['clusterIPs', 'text[]'],
  19: ['ipFamilies', 'text[]'],
  20: ['allocateLoadBalancerNodePorts', 'boolean'],
  21: ['loadBalancerClass', 'text'],
  22: ['internalTrafficPolicy', 'text'],
  23: ['trafficDistribution', 'text'],
};

/** The kinds that kubectl sends in protobuf whatever the server says: those of `create service` and `create namespace`. */
const kinds: Readonly<Record<string, Message>> = {
  Service: { 1: ['metadata', metadata], 2: ['spec', serviceSpec] },
  Namespace: { 1: ['metadata', metadata] },
};

/** Whether a content type is Kubernetes' protobuf. */
export function isProtobuf(contentType: string): boolean {
  return contentType.startsWith('application/vnd.kubernetes.protobuf');
}

/** The object in a protobuf body, as JSON has it; 400 for a kind that is not known here. Empty fields are left out. */
export function decodeProtobuf(body: Buffer): Json {
  if (body.subarray(0, 4).toString('latin1') !== 'k8s\0')
    throw badRequest('the body is no protobuf of Kubernetes');
  let typeMeta: Json = {};
  let raw: Uint8Array = new Uint8Array();
  for (const { number, bytes } of fieldsOf(body.subarray(4))) {
    if (number === 1) typeMeta = decode(bytes, { 1: ['apiVersion', 'text'], 2: ['kind', 'text'] });
    if (number === 2) raw = bytes;
  }
  const message = kinds[String(typeMeta['kind'])];
  if (message === undefined)
    throw badRequest(`protobuf of kind ${String(typeMeta['kind'])} is not read here`);
  return { ...typeMeta, ...decode(raw, message) };
}

function decode(bytes: Uint8Array, message: Message): Json {
  const result: Json = {};
  for (const field of fieldsOf(bytes)) {
    const [name, type] = message[field.number] ?? [];
    if (name === undefined || type === undefined) continue;
    const value = valueOf(field, type);
    if (type === 'text{}')
      result[name] = { ...(result[name] as Json | undefined), ...(value as Json) };
    else if (type === 'text[]' || Array.isArray(type))
      result[name] = [...((result[name] as unknown[] | undefined) ?? []), value];
    else if (value !== '' && value !== 0 && value !== undefined) result[name] = value;
  }
  return result;
}

function valueOf({ bytes, value }: Field, type: FieldType): unknown {
  if (type === 'number') return value;
  if (type === 'boolean') return value !== 0;
  if (type === 'text' || type === 'text[]') return Buffer.from(bytes).toString();
  if (type === 'text{}') {
    const { key = '', value: text = '' } = decode(bytes, {
      1: ['key', 'text'],
      2: ['value', 'text'],
    });
    return { [String(key)]: text };
  }
  if (type === 'time') {
    const { seconds } = decode(bytes, { 1: ['seconds', 'number'] });
    return seconds === undefined ? undefined : new Date(Number(seconds) * 1000).toISOString();
  }
  if (type === 'integer or text') {
    const { integer = 0, text } = decode(bytes, { 2: ['integer', 'number'], 3: ['text', 'text'] });
    return text ?? integer;
  }
  if (isList(type)) return decode(bytes, type[0]);
  return decode(bytes, type);
}

function isList(type: Message | readonly [Message]): type is readonly [Message] {
  return Array.isArray(type);
}

/** A field on the wire: its number, and either bytes or a value. */
interface Field {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly value: number;
}

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let result = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw badRequest('the protobuf ends early');
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, result));
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = tag >> 3;
    const wireType = tag & 7;
    if (wireType === 0) {
      yield { number, bytes: new Uint8Array(), value: varint() };
    } else if (wireType === 2) {
      const end = varint() + at;
      if (end > bytes.length) throw badRequest('the protobuf ends early');
      yield { number, bytes: bytes.subarray(at, end), value: 0 };
      at = end;
    } else throw badRequest(`wire type ${wireType} is not used by Kubernetes`);
  }
}
