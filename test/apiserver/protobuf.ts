import type { Json } from './objects.ts';
import { badRequest } from './status.ts';

/**
 * A message: its fields by number, each with its name in JSON and its type. `[]` is a list, `{}` a map of texts. With `?` the API has
 * a pointer, which is written where it is there and not left out where it is empty.
 */
export interface Message {
  readonly [number: number]: readonly [name: string, type: FieldType];
}

/** What a field holds. */
export type FieldType =
  | 'text'
  | 'text?'
  | 'number'
  | 'number?'
  | 'boolean'
  | 'boolean?'
  | 'any'
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
  7: ['generation', 'number'],
  8: ['creationTimestamp', 'time'],
  9: ['deletionTimestamp', 'time'],
  11: ['labels', 'text{}'],
  12: ['annotations', 'text{}'],
  14: ['finalizers', 'text[]'],
};

const servicePort: Message = {
  1: ['name', 'text'],
  2: ['protocol', 'text'],
  3: ['port', 'number?'], // no pointer, but in JSON even if it is 0
  4: ['targetPort', 'integer or text'],
  5: ['nodePort', 'number'],
  6: ['appProtocol', 'text?'],
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
  14: ['sessionAffinityConfig', { 1: ['clientIP', { 1: ['timeoutSeconds', 'number?'] }] }],
  17: ['ipFamilyPolicy', 'text?'],
  18: ['clusterIPs', 'text[]'],
  19: ['ipFamilies', 'text[]'],
  20: ['allocateLoadBalancerNodePorts', 'boolean?'],
  21: ['loadBalancerClass', 'text?'],
  22: ['internalTrafficPolicy', 'text?'],
  23: ['trafficDistribution', 'text?'],
};

const endpoint: Message = {
  1: ['addresses', 'text[]'],
  2: [
    'conditions',
    { 1: ['ready', 'boolean?'], 2: ['serving', 'boolean?'], 3: ['terminating', 'boolean?'] },
  ],
  3: ['hostname', 'text?'],
  4: [
    'targetRef',
    { 1: ['kind', 'text'], 2: ['namespace', 'text'], 3: ['name', 'text'], 4: ['uid', 'text'] },
  ],
  6: ['nodeName', 'text?'],
  7: ['zone', 'text?'],
  8: [
    'hints',
    { 1: ['forZones', [{ 1: ['name', 'text'] }]], 2: ['forNodes', [{ 1: ['name', 'text'] }]] },
  ],
};

const endpointPort: Message = {
  1: ['name', 'text?'],
  2: ['protocol', 'text?'],
  3: ['port', 'number?'],
  4: ['appProtocol', 'text?'],
};

const ingress: Message = { 1: ['ip', 'text'], 2: ['hostname', 'text'], 3: ['ipMode', 'text?'] };

const nodeSpec: Message = {
  1: ['podCIDR', 'text'],
  3: ['providerID', 'text'],
  4: ['unschedulable', 'boolean'],
  5: ['taints', [{ 1: ['key', 'text'], 2: ['value', 'text'], 3: ['effect', 'text'] }]],
  7: ['podCIDRs', 'text[]'],
};

const statusDetails: Message = {
  1: ['name', 'text'],
  2: ['group', 'text'],
  3: ['kind', 'text'],
  4: ['causes', [{ 1: ['reason', 'text'], 2: ['message', 'text'], 3: ['field', 'text'] }]],
  5: ['retryAfterSeconds', 'number'],
};

/**
 * The kinds that kubectl sends in protobuf whatever the server announces, those of `create service` and `create namespace`; and those that a
 * proxy asks for.
 */
export const kinds: Readonly<Record<string, Message>> = {
  Service: {
    1: ['metadata', metadata],
    2: ['spec', serviceSpec],
    3: ['status', { 1: ['loadBalancer', { 1: ['ingress', [ingress]] }] }],
  },
  Namespace: { 1: ['metadata', metadata] },
  EndpointSlice: {
    1: ['metadata', metadata],
    2: ['endpoints', [endpoint]],
    3: ['ports', [endpointPort]],
    4: ['addressType', 'text'],
  },
  Node: {
    1: ['metadata', metadata],
    2: ['spec', nodeSpec],
    3: ['status', { 5: ['addresses', [{ 1: ['type', 'text'], 2: ['address', 'text'] }]] }],
  },
  Status: {
    2: ['status', 'text'],
    3: ['message', 'text'],
    4: ['reason', 'text'],
    5: ['details', statusDetails],
    6: ['code', 'number'],
  },
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
    else if (isKept(type, value)) result[name] = value;
  }
  return result;
}

/** What is no pointer is left out of JSON where it is empty. */
function isKept(type: FieldType, value: unknown): boolean {
  const isPointer = typeof type === 'string' && type.endsWith('?');
  return value !== undefined && (isPointer || (value !== '' && value !== 0));
}

function valueOf({ bytes, value }: Field, type: FieldType): unknown {
  if (type === 'number' || type === 'number?') return value;
  if (type === 'boolean' || type === 'boolean?') return value !== 0;
  if (type === 'any') return bytes;
  if (type === 'text' || type === 'text?' || type === 'text[]')
    return Buffer.from(bytes).toString();
  if (type === 'text{}') {
    const { key = '', value: text = '' } = decode(bytes, {
      1: ['key', 'text'],
      2: ['value', 'text'],
    });
    return { [String(key)]: text };
  }
  if (type === 'time') {
    const { seconds } = decode(bytes, { 1: ['seconds', 'number'] });
    return seconds === undefined
      ? undefined
      : new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z');
  }
  if (type === 'integer or text') {
    const { integer = 0, text } = decode(bytes, { 2: ['integer', 'number'], 3: ['text', 'text'] });
    return text ?? integer;
  }
  if (isList(type)) return decode(bytes, type[0]);
  return decode(bytes, type);
}

/** Whether a field holds many messages. */
export function isList(type: Message | readonly [Message]): type is readonly [Message] {
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
