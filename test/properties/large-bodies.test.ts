import { describe, expect, test } from 'vitest';
import { LineParser, ListParser } from '../../pkg/kube/api/json-stream.ts';

const encoder = new TextEncoder();

/** Services and slices of the largest size that etcd stores. */
const large = {
  'a Service of 20,000 ports': {
    spec: {
      ports: Array.from({ length: 20_000 }, (_, index) => ({
        name: `port-${index}`,
        protocol: 'TCP',
        port: index + 1,
        targetPort: index + 1,
        nodePort: 30_000,
      })),
    },
  },
  'a slice of 1,000 endpoints': {
    endpoints: Array.from({ length: 1000 }, (_, index) => ({
      addresses: [`10.0.${index >> 8}.${index & 255}`],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', namespace: 'shop', name: `cart-${index}`, uid: `uid-${index}` },
      nodeName: `node-${index}`,
      zone: 'zone-a',
      hints: { forZones: [{ name: 'zone-a' }] },
    })),
  },
  'a Service of 60,000 ports': {
    spec: {
      ports: Array.from({ length: 60_000 }, (_, index) => ({
        name: `p${index}`,
        protocol: 'TCP',
        port: index + 1,
        targetPort: index + 1,
      })),
    },
  },
  'a Service with 1.5 MB of names that JSON writes out, six bytes for one': {
    metadata: { ownerReferences: [{ name: '\u0001'.repeat(1_572_864) }] },
  },
  'a Service with 1.5 MB of owners, 16 bytes each for etcd': {
    metadata: {
      ownerReferences: Array.from({ length: 98_304 }, () => ({
        apiVersion: 'a',
        kind: 'b',
        name: 'c',
        uid: 'd',
      })),
    },
  },
  'a Service with 1.5 MB of managed fields': {
    metadata: {
      managedFields: [
        {
          fieldsV1: Object.fromEntries(
            Array.from({ length: 150_000 }, (_, index) => [`f:${index.toString(36)}`, {}]),
          ),
        },
      ],
    },
  },
};

describe.each(Object.entries(large))('%s', (_name, object) => {
  test('is read from a list and from a watch', () => {
    // Compared as text, as comparing objects of this size is slower than reading them.
    const text = JSON.stringify(object);
    const list = new ListParser();
    const items = list.push(encoder.encode(`{"items":[${text},${text}]}`));
    list.finish();
    expect(items.map((item) => JSON.stringify(item) === text)).toEqual([true, true]);
    const line = new LineParser();
    const bytes = encoder.encode(`${text}\n`);
    const pieces = [bytes.subarray(0, 7), bytes.subarray(7, 70_000), bytes.subarray(70_000)];
    const lines = pieces.flatMap((piece) => line.push(piece));
    line.finish();
    expect(lines.map((line) => JSON.stringify(line) === text)).toEqual([true]);
  });
});

test('bytes that come one by one cost no more memory than all at once', () => {
  const list = new ListParser();
  const line = new LineParser();
  list.push(encoder.encode('{"items":["'));
  line.push(encoder.encode('"'));
  const source = encoder.encode('x'.repeat(4096));
  const used = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const before = used();
  for (let count = 0; count < 1_000_000; count++) {
    const piece = source.subarray(count % 4096, (count % 4096) + 1);
    list.push(piece);
    line.push(piece);
  }
  expect(used() - before).toBeLessThan(100_000_000);
});
