/**
 * What it costs to read a cluster's objects: time and memory to parse and reduce lists of Services and EndpointSlices that
 * arrive in pieces of 64 KB. `node --expose-gc test/bench/kube-objects.ts [services] [endpoints]`
 */
import { ListParser } from '../../pkg/kube/json-stream.ts';
import { Reducer } from '../../pkg/kube/reduce.ts';
import type { Change, Kind } from '../../pkg/kube/types.ts';

const services = Number(process.argv[2] ?? 10_000);
const endpoints = Number(process.argv[3] ?? 10);
const pieceSize = 64 * 1024;
const encoder = new TextEncoder();

const reducer = new Reducer();
const kept: Change[] = [];
let bytes = 0;
let parsing = 0;
let reducing = 0;
let longest = 0;

globalThis.gc?.();
const before = process.memoryUsage();
for (const kind of ['Service', 'EndpointSlice'] as const) read(kind);
globalThis.gc?.();
const after = process.memoryUsage();
const mb = (count: number) => `${(count / 2 ** 20).toFixed(1)} MB`;
console.log(
  `${services} Services, ${services} EndpointSlices of ${endpoints} endpoints: ${mb(bytes)} of JSON`,
);
console.log(
  `parsed in ${parsing.toFixed(0)} ms, reduced in ${reducing.toFixed(0)} ms, longest piece ${longest.toFixed(1)} ms`,
);
console.log(
  `heap ${mb(after.heapUsed - before.heapUsed)}, resident ${mb(before.rss)} → ${mb(after.rss)}, kept ${kept.length} objects`,
);

function read(kind: Kind): void {
  const parser = new ListParser();
  for (const piece of pieces(kind)) {
    const start = performance.now();
    const items = parser.push(piece);
    const parsed = performance.now();
    for (const item of items) kept.push(reducer.change(kind, item));
    const reduced = performance.now();
    parsing += parsed - start;
    reducing += reduced - parsed;
    longest = Math.max(longest, reduced - start);
    bytes += piece.length;
  }
  parser.finish();
}

/** A list as bytes, made as it is read, so that nothing of it is kept. */
function* pieces(kind: Kind): Generator<Uint8Array> {
  let text = '{"metadata":{"resourceVersion":"1"},"items":[';
  for (let index = 0; index < services; index++) {
    text +=
      (index === 0 ? '' : ',') + JSON.stringify(kind === 'Service' ? service(index) : slice(index));
    if (text.length < pieceSize) continue;
    yield encoder.encode(text);
    text = '';
  }
  yield encoder.encode(`${text}]}`);
}

function metadata(index: number, name: string): object {
  return {
    name,
    namespace: `namespace-${index % 100}`,
    uid: uid(index),
    resourceVersion: `${index}`,
    creationTimestamp: '2025-01-02T03:04:05Z',
    labels: {
      app: name,
      'app.kubernetes.io/managed-by': 'helm',
      'kubernetes.io/service-name': `service-${index}`,
    },
    annotations: { 'meta.helm.sh/release-name': name, 'meta.helm.sh/release-namespace': 'x' },
    managedFields: [
      {
        manager: 'helm',
        operation: 'Update',
        apiVersion: 'v1',
        time: '2025-01-02T03:04:05Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': {
            'f:annotations': { '.': {}, 'f:meta.helm.sh/release-name': {} },
            'f:labels': { '.': {}, 'f:app': {} },
          },
          'f:spec': { 'f:ports': {}, 'f:selector': {} },
        },
      },
    ],
  };
}

function service(index: number): object {
  const ip = `172.30.${index >> 8}.${index & 255}`;
  return {
    metadata: metadata(index, `service-${index}`),
    spec: {
      clusterIP: ip,
      clusterIPs: [ip],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
      selector: { app: `service-${index}` },
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
    status: { loadBalancer: {} },
  };
}

function slice(index: number): object {
  return {
    metadata: metadata(index, `service-${index}-abcde`),
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: Array.from({ length: endpoints }, (_, number) => {
      const pod = index * endpoints + number;
      return {
        addresses: [`10.${(pod >> 16) & 255}.${(pod >> 8) & 255}.${pod & 255}`],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: `node-${pod % 500}`,
        zone: `zone-${pod % 3}`,
        hints: { forZones: [{ name: `zone-${pod % 3}` }] },
        targetRef: {
          kind: 'Pod',
          name: `service-${index}-${number}`,
          namespace: 'x',
          uid: uid(pod),
        },
      };
    }),
  };
}

function uid(number: number): string {
  return `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
}
