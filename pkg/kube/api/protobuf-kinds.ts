import { isReadAnnotation, isReadLabel } from '../objects/names.ts';
import { type Field, type FieldType, type Message, message } from './protobuf.ts';
import { initialEventsEnd } from './shape.ts';

// Field numbers of generated.proto in k8s.io/api (core/v1, discovery/v1) and k8s.io/apimachinery (meta/v1, runtime), by their JSON
// names. Only the fields that are read.

function text(name: string): Field {
  return { name, type: { kind: 'text' } };
}

function optionalText(name: string): Field {
  return { name, type: { kind: 'optional text' } };
}

function texts(name: string): Field {
  return { name, type: { kind: 'texts' } };
}

function integer(name: string): Field {
  return { name, type: { kind: 'integer' } };
}

function optionalInteger(name: string): Field {
  return { name, type: { kind: 'optional integer' } };
}

function optionalBoolean(name: string): Field {
  return { name, type: { kind: 'optional boolean' } };
}

function time(name: string): Field {
  return { name, type: { kind: 'time' } };
}

function map(name: string, isWanted: (key: string) => boolean): Field {
  return { name, type: { kind: 'map', isWanted } };
}

function one(name: string, fields: Readonly<Record<number, Field>>): Field {
  return { name, type: { kind: 'message', message: message(fields) } };
}

function many(name: string, fields: Readonly<Record<number, Field>>): Field {
  return { name, type: { kind: 'messages', message: message(fields) } };
}

const bytes: FieldType = { kind: 'bytes' };

/** The fields of metav1.ObjectMeta that are read of every kind. */
const metadataFields: Readonly<Record<number, Field>> = {
  1: text('name'),
  3: text('namespace'),
  6: text('resourceVersion'),
  11: map('labels', isReadLabel),
  12: map('annotations', (name) => isReadAnnotation(name) || name === initialEventsEnd),
};

/** core/v1 Service. */
const service = message({
  1: one('metadata', { ...metadataFields, 5: text('uid'), 8: time('creationTimestamp') }),
  2: one('spec', {
    1: many('ports', {
      1: text('name'),
      2: text('protocol'),
      3: optionalInteger('port'),
      5: integer('nodePort'),
    }),
    3: text('clusterIP'),
    4: text('type'),
    5: texts('externalIPs'),
    7: text('sessionAffinity'),
    9: texts('loadBalancerSourceRanges'),
    11: text('externalTrafficPolicy'),
    12: integer('healthCheckNodePort'),
    14: one('sessionAffinityConfig', {
      1: one('clientIP', { 1: optionalInteger('timeoutSeconds') }),
    }),
    18: texts('clusterIPs'),
    19: texts('ipFamilies'),
    22: optionalText('internalTrafficPolicy'),
  }),
  3: one('status', {
    1: one('loadBalancer', { 1: many('ingress', { 1: text('ip'), 3: optionalText('ipMode') }) }),
  }),
});

/** discovery/v1 EndpointSlice. */
const endpointSlice = message({
  1: one('metadata', metadataFields),
  2: many('endpoints', {
    1: texts('addresses'),
    2: one('conditions', {
      1: optionalBoolean('ready'),
      2: optionalBoolean('serving'),
      3: optionalBoolean('terminating'),
    }),
    4: one('targetRef', { 4: text('uid') }),
    6: optionalText('nodeName'),
    8: one('hints', {
      1: many('forZones', { 1: text('name') }),
      2: many('forNodes', { 1: text('name') }),
    }),
  }),
  3: many('ports', {
    1: optionalText('name'),
    2: optionalText('protocol'),
    3: optionalInteger('port'),
  }),
  4: text('addressType'),
});

/** core/v1 Node. */
const node = message({
  1: one('metadata', { ...metadataFields, 9: time('deletionTimestamp') }),
  2: one('spec', {
    1: text('podCIDR'),
    5: many('taints', { 1: text('key') }),
    7: texts('podCIDRs'),
  }),
  3: one('status', { 5: many('addresses', { 1: text('type'), 2: text('address') }) }),
});

/** metav1.Status: the failure of a request or a watch. */
const status = message({
  2: text('status'),
  3: text('message'),
  4: text('reason'),
  5: one('details', { 4: many('causes', { 1: text('reason') }), 5: integer('retryAfterSeconds') }),
  6: integer('code'),
});

/** The message of each kind of object that is read. */
export const messages: ReadonlyMap<string, Message> = new Map([
  ['Service', service],
  ['EndpointSlice', endpointSlice],
  ['Node', node],
  ['Status', status],
]);

/** metav1.ListMeta. */
export const listMetadata = message({ 2: text('resourceVersion') });

/** runtime.TypeMeta. */
export const typeMeta = message({ 1: text('apiVersion'), 2: text('kind') });

/** metav1.WatchEvent: `object.raw` is another message with the prefix and runtime.Unknown around it. */
export const watchEventMessage = message({
  1: text('type'),
  2: one('object', { 1: { name: 'raw', type: bytes } }),
});

/** runtime.Unknown, which contains every object: `typeMeta` is the type of `raw`. */
export const unknownMessage = message({
  1: one('typeMeta', { 1: text('apiVersion'), 2: text('kind') }),
  2: { name: 'raw', type: bytes },
  3: text('contentEncoding'),
});
