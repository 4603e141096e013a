/** Lists and watches in JSON and in protobuf: the same objects, the same problems, and of damaged bytes nothing but an error. */

import type { Json } from '@kube-proxy-ipvs/test-apiserver/objects';
import { decodeProtobuf } from '@kube-proxy-ipvs/test-apiserver/protobuf';
import {
  encodeFrame,
  encodeList,
  encodeObject,
} from '@kube-proxy-ipvs/test-apiserver/protobuf-encode';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BodyError } from '../../pkg/kube/api/body-error.ts';
import { LineParser, ListParser } from '../../pkg/kube/api/json-stream.ts';
import {
  decodeObject,
  FrameParser,
  ProtobufListParser,
} from '../../pkg/kube/api/protobuf-stream.ts';
import { Reducer } from '../../pkg/kube/objects/reduce.ts';
import type { Kind } from '../../pkg/kube/types.ts';

const kinds = ['Service', 'EndpointSlice', 'Node'] as const satisfies readonly Kind[];

const optional = { requiredKeys: [] };
const word = fc.string({ unit: 'grapheme', maxLength: 8 });
const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom('', 'None', '010.0.0.7', '0.0.0.0', '127.0.0.1', 'ff02::1', '::ffff:10.0.0.7'),
  word,
);
const int32 = fc.oneof(
  fc.constantFrom(0, 1, 80, 65_535, 65_536, -1, 2 ** 31 - 1, -(2 ** 31)),
  fc.nat(70_000),
);
const metadata = fc.record(
  {
    name: fc.oneof(fc.constant('a'), word),
    namespace: fc.oneof(fc.constant('x'), word),
    uid: word,
    resourceVersion: fc.nat().map(String),
    creationTimestamp: fc.constantFrom(
      '2025-01-02T03:04:05Z',
      '1999-12-31T23:59:59Z',
      '1969-12-31T23:59:59Z',
    ),
    deletionTimestamp: fc.constant('2025-01-02T03:04:05Z'),
    labels: fc.dictionary(
      fc.constantFrom(
        ...['app', '__proto__', 'kubernetes.io/service-name', 'topology.kubernetes.io/zone'],
        'service.kubernetes.io/headless',
      ),
      word,
    ),
    annotations: fc.dictionary(
      fc.constantFrom(
        ...['other', 'ipvs.kube-proxy.io/scheduler', 'ipvs.kube-proxy.io/'],
        'endpoints.kubernetes.io/last-change-trigger-time',
      ),
      fc.oneof(word, fc.constant('2025-01-02T03:04:05.678Z')),
    ),
  },
  optional,
);
const protocol = fc.constantFrom('TCP', 'UDP', 'SCTP', 'tcp', '');
const port = fc.record({ name: word, protocol, port: int32, nodePort: int32 }, optional);
const service = fc.record(
  {
    metadata,
    spec: fc.record(
      {
        ports: fc.array(port, { maxLength: 3 }),
        clusterIP: address,
        clusterIPs: fc.array(address, { maxLength: 3 }),
        ipFamilies: fc.array(fc.constantFrom('IPv4', 'IPv6', 'IPv5'), { maxLength: 3 }),
        type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName', 'Other'),
        externalIPs: fc.array(address, { maxLength: 3 }),
        sessionAffinity: fc.constantFrom('ClientIP', 'None', 'Other', ''),
        sessionAffinityConfig: fc.record(
          { clientIP: fc.record({ timeoutSeconds: int32 }, optional) },
          optional,
        ),
        loadBalancerSourceRanges: fc.array(
          fc.oneof(word, fc.constantFrom('10.0.0.0/8', ' 10.1.2.3/8 ')),
          { maxLength: 3 },
        ),
        externalTrafficPolicy: fc.constantFrom('Cluster', 'Local', 'Other', ''),
        internalTrafficPolicy: fc.constantFrom('Cluster', 'Local', 'Other', ''),
        healthCheckNodePort: int32,
      },
      optional,
    ),
    status: fc.record(
      {
        loadBalancer: fc.record(
          {
            ingress: fc.array(
              fc.record(
                { ip: address, ipMode: fc.constantFrom('VIP', 'Proxy', 'Other', '') },
                optional,
              ),
              { maxLength: 3 },
            ),
          },
          optional,
        ),
      },
      optional,
    ),
  },
  optional,
);
const names = fc.array(fc.record({ name: word }, optional), { maxLength: 2 });
const endpoint = fc.record(
  {
    addresses: fc.array(address, { maxLength: 2 }),
    conditions: fc.record(
      { ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() },
      optional,
    ),
    targetRef: fc.record({ kind: fc.constant('Pod'), uid: word }, optional),
    nodeName: word,
    zone: word,
    hints: fc.record({ forZones: names, forNodes: names }, optional),
  },
  optional,
);
const slice = fc.record(
  {
    metadata,
    addressType: fc.constantFrom('IPv4', 'IPv6', 'FQDN', 'IPv5', ''),
    endpoints: fc.array(endpoint, { maxLength: 4 }),
    ports: fc.array(fc.record({ name: word, protocol, port: int32 }, optional), { maxLength: 3 }),
  },
  optional,
);
const node = fc.record(
  {
    metadata,
    spec: fc.record(
      {
        podCIDR: fc.oneof(word, fc.constant('10.0.0.0/24')),
        podCIDRs: fc.array(fc.oneof(word, fc.constant('10.0.0.0/24')), { maxLength: 2 }),
        taints: fc.array(
          fc.record(
            { key: fc.oneof(word, fc.constant('ToBeDeletedByClusterAutoscaler')) },
            optional,
          ),
          { maxLength: 2 },
        ),
      },
      optional,
    ),
    status: fc.record(
      {
        addresses: fc.array(
          fc.record(
            { type: fc.constantFrom('InternalIP', 'ExternalIP', 'Hostname'), address },
            optional,
          ),
          { maxLength: 3 },
        ),
      },
      optional,
    ),
  },
  optional,
);
const objects: Readonly<Record<Kind, fc.Arbitrary<object>>> = {
  Service: service,
  EndpointSlice: slice,
  Node: node,
};
/** An object of any kind. */
const anyObject = fc
  .constantFrom(...kinds)
  .chain((kind) => objects[kind].map((object) => ({ kind, apiVersion: 'v1', ...object }) as Json));

test('an object in protobuf means what it means in JSON, problems included', () => {
  fc.assert(
    fc.property(anyObject, (object) => {
      const kind = object['kind'] as Kind;
      const bytes = encodeObject(object);
      // What another decoder, which reads all fields, makes of the bytes is what an API server prints in JSON.
      const inJson: unknown = JSON.parse(JSON.stringify(decodeProtobuf(bytes)));
      expect(new Reducer().change(kind, decodeObject(bytes))).toEqual(
        new Reducer().change(kind, inJson),
      );
    }),
    { numRuns: 500 },
  );
});

interface Parser {
  push(chunk: Uint8Array): unknown[];
  finish(): unknown;
  close(): void;
}

/** What comes of bytes cut at some places, and how it ends. */
function parsed(make: () => Parser, bytes: Uint8Array, cuts: readonly number[]): unknown {
  const parser = make();
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort(
    (one, other) => one - other,
  );
  const values: unknown[] = [];
  let at = 0;
  try {
    for (const place of places) {
      values.push(...parser.push(bytes.subarray(at, place)));
      at = place;
    }
    return { values, end: parser.finish() ?? 'ended' };
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    return { values, end: 'refused' };
  } finally {
    parser.close();
  }
}

const some = fc.array(anyObject, { maxLength: 4 });
const head = { kind: 'ServiceList', apiVersion: 'v1', metadata: { resourceVersion: '7' } };
const asEvent = (object: Json) => ({ type: 'ADDED', object });

/** Each form: how it is read, and bytes of it. */
const forms: Readonly<Record<string, [() => Parser, fc.Arbitrary<Uint8Array>]>> = {
  'a list in JSON': [
    () => new ListParser(),
    some.map((items) => Buffer.from(JSON.stringify({ ...head, items }))),
  ],
  'a watch in JSON': [
    () => new LineParser(),
    some.map((all) => Buffer.from(all.map((one) => `${JSON.stringify(asEvent(one))}\n`).join(''))),
  ],
  'a list in protobuf': [
    () => new ProtobufListParser(),
    fc.array(service, { maxLength: 4 }).map((items) => encodeList(head, items as Json[])),
  ],
  'a watch in protobuf': [
    () => new FrameParser(),
    some.map((all) => Buffer.concat(all.map((one) => encodeFrame(asEvent(one))))),
  ],
};

describe.each(Object.entries(forms))('%s', (_, [make, bodies]) => {
  test('is read alike in whatever pieces it arrives', () => {
    fc.assert(
      fc.property(bodies, fc.array(fc.nat(), { maxLength: 20 }), (bytes, cuts) => {
        const whole = parsed(make, bytes, []);
        expect(whole).not.toMatchObject({ end: 'refused' });
        expect(parsed(make, bytes, cuts)).toEqual(whole);
      }),
    );
  });

  test('that is damaged is refused, or read alike in whatever pieces it arrives', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(bodies, damage, fc.array(fc.nat(), { maxLength: 10 }), (bytes, changes, cuts) => {
        const copy = Uint8Array.from(bytes);
        if (copy.length === 0) return;
        for (const [at, byte] of changes) copy[at % copy.length] = byte;
        // Values before the place that is refused may or may not have been told by then.
        const end = (result: unknown) => (result as { end: unknown }).end;
        expect(end(parsed(make, copy, cuts))).toEqual(end(parsed(make, copy, [])));
      }),
      { numRuns: 500 },
    );
  });

  test('of garbage gives nothing but an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat()), (bytes, cuts) => {
        parsed(make, bytes, cuts);
      }),
      { numRuns: 500 },
    );
  });
});
