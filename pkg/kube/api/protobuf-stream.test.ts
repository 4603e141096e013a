import {
  encodeFrame,
  encodeList,
  encodeMessage,
  encodeObject,
} from '@kube-proxy-ipvs/test-apiserver/protobuf-encode';
import { describe, expect, test } from 'vitest';
import { BodyError } from './body-error.ts';
import { decodeObject, FrameParser, ProtobufListParser } from './protobuf-stream.ts';

const metadata = { resourceVersion: '7' };
const head = { kind: 'ServiceList', apiVersion: 'v1', metadata };
const named = (name: string) => ({ metadata: { name, namespace: 'x' }, spec: {}, status: {} });

/** The result of parsing bytes in pieces of one size. */
function inPieces(
  parser: { push(chunk: Uint8Array): unknown[]; finish(): unknown; close(): void },
  { bytes, size }: { bytes: Uint8Array; size: number },
): { values: unknown[]; end: unknown } {
  const values: unknown[] = [];
  for (let at = 0; at < bytes.length; at += size)
    values.push(...parser.push(bytes.subarray(at, at + size)));
  const end = parser.finish();
  parser.close();
  return { values, end };
}

describe('a list', () => {
  const bytes = encodeList(head, [named('a'), named('b'.repeat(300)), named('c')]);

  test.each([1, 2, 3, 7, 64, 100_000])('gives its items from pieces of %d bytes', (size) => {
    const heads: unknown[] = [];
    const parser = new ProtobufListParser(undefined, (found) => heads.push(found));
    const { values, end } = inPieces(parser, { bytes, size });
    expect(values).toEqual([named('a'), named('b'.repeat(300)), named('c')]);
    expect(end).toEqual({ ...head, items: [] });
    expect(heads).toEqual([{ kind: 'ServiceList', apiVersion: 'v1' }]);
  });

  test('gives each item with its last byte', () => {
    const parser = new ProtobufListParser();
    const first = bytes.indexOf('b'.repeat(300));
    expect(parser.push(bytes.subarray(0, first))).toEqual([named('a')]);
    expect(() => parser.finish()).toThrow('breaks off');
  });

  test('of which the kind is refused gives nothing', () => {
    const parser = new ProtobufListParser(undefined, () => {
      throw new Error('no such kind');
    });
    expect(() => parser.push(bytes)).toThrow('no such kind');
  });

  test('that is empty has items, one without the list itself has none', () => {
    const empty = inPieces(new ProtobufListParser(), { bytes: encodeList(head, []), size: 5 });
    expect(empty.end).toEqual({ ...head, items: [] });
    const none = inPieces(new ProtobufListParser(), {
      bytes: Buffer.from('6b387300', 'hex'),
      size: 5,
    });
    expect(none.end).toEqual({});
  });

  test.each(Array.from({ length: bytes.length - 5 }, (_, at) => at).filter((at) => at % 7 === 0))(
    'that is cut after %d bytes is no whole list',
    (length) => {
      const parser = new ProtobufListParser();
      parser.push(bytes.subarray(0, length));
      const end = (): unknown => (parser.finish() as { items?: unknown }).items;
      const isRefused = (() => {
        try {
          return end() === undefined;
        } catch (error) {
          return error instanceof BodyError;
        }
      })();
      expect(isRefused).toBe(true);
    },
  );

  /** Parses hexadecimal bytes after the prefix. */
  const list = (text: string) => Buffer.from(`6b387300${text.replaceAll(' ', '')}`, 'hex');
  const type = `0a11 0a02 ${Buffer.from('v1').toString('hex')} 120b ${Buffer.from('ServiceList').toString('hex')}`;

  test.each([
    ['another prefix', Buffer.from('k8s1'), 'no protobuf of Kubernetes'],
    ['JSON', Buffer.from('{"kind":"ServiceList"}'), 'no protobuf of Kubernetes'],
    [
      'a hostile length of the list',
      list(`${type} 12 ffffffffffffffff7f`),
      'where there can be no more',
    ],
    ['a hostile length of the kind', list('0a ffffffff07'), 'besides its items'],
    [
      'a hostile length of an item',
      list(`${type} 12 ffffffff0e 12 ffffffff0d`),
      'an item of more than',
    ],
    ['an item that leaves the list', list(`${type} 12 04 12 05`), 'where there can be no more'],
    ['a list that ends within a length', list(`${type} 12 01 12 05`), 'breaks off'],
    ['metadata without an end', list(`${type} 12 ffffffff0e 0a ffffff07`), 'besides its items'],
    ['a second list', list(`${type} 12 00 12 00`), 'its items twice'],
    ['a number that does not end', list('08 ffffffffffffffffffffff'), 'more than ten bytes'],
    ['a group', list('0b'), 'wire type 3'],
    ['what is encoded once more', list(`${type} 12 00 1a 04 677a6970`), 'encoded once more'],
    ['a kind that is not read', list('0a06 1204 50 6f 64 73 12 00'), 'not read here'],
    ['an item that is none', list(`${type} 12 04 12 02 08 01`), 'wire type 0'],
  ])('refuses %s', (_, hostile, reason) => {
    for (const size of [1, 1000]) {
      const parser = new ProtobufListParser();
      expect(() => inPieces(parser, { bytes: hostile, size })).toThrow(reason);
    }
  });

  test('skips what it does not know', () => {
    const known = encodeMessage({ ...metadata }, { 2: ['resourceVersion', 'text'] });
    const items = `0a ${known.length.toString(16).padStart(2, '0')} ${known.toString('hex')} 28 01 32 01 ff 12 00`;
    const length = items.replaceAll(' ', '').length / 2;
    const bytesOfList = list(
      `${type} 28 05 12 ${length.toString(16).padStart(2, '0')} ${items} 2a 01 00`,
    );
    const { values, end } = inPieces(new ProtobufListParser(), { bytes: bytesOfList, size: 3 });
    expect(values).toEqual([{}]);
    expect(end).toEqual({ ...head, items: [] });
  });
});

describe('a watch', () => {
  const service = { kind: 'Service', apiVersion: 'v1', ...named('a') };
  const event = { type: 'ADDED', object: service };
  const bookmark = {
    type: 'BOOKMARK',
    object: {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: {
        resourceVersion: '9',
        annotations: { 'k8s.io/initial-events-end': 'true', other: 'x' },
      },
    },
  };
  const failed = {
    type: 'ERROR',
    object: { kind: 'Status', apiVersion: 'v1', code: 410, reason: 'Expired', message: 'old' },
  };
  const bytes = Buffer.concat([event, bookmark, failed].map(encodeFrame));

  test.each([1, 2, 5, 64, 100_000])('gives its events from pieces of %d bytes', (size) => {
    const { values } = inPieces(new FrameParser(), { bytes, size });
    expect(values).toMatchObject([
      { type: 'ADDED', object: { kind: 'Service', ...named('a') } },
      {
        type: 'BOOKMARK',
        object: {
          kind: 'Service',
          metadata: {
            resourceVersion: '9',
            annotations: { 'k8s.io/initial-events-end': 'true' },
          },
        },
      },
      failed,
    ]);
  });

  test('that breaks off in a frame gives those before and fails', () => {
    const parser = new FrameParser();
    expect(parser.push(bytes.subarray(0, -1))).toHaveLength(2);
    expect(() => parser.finish()).toThrow('breaks off in a frame');
  });

  test('is not in a frame between two of them, and a frame of nothing means nothing', () => {
    const parser = new FrameParser();
    expect(parser.push(Buffer.from('0000000000000000', 'hex'))).toEqual([]);
    expect(parser.finish()).toBeUndefined();
    expect(parser.push(Buffer.from('0000', 'hex'))).toEqual([]);
    expect(() => parser.finish()).toThrow('breaks off in a frame');
  });

  test('whose frame says that it is larger than anybody would send is refused before a byte of it is kept', () => {
    const parser = new FrameParser();
    expect(() => parser.push(Buffer.from('ffffffff', 'hex'))).toThrow('a frame of more than');
  });

  test('with an event that holds no object is refused', () => {
    expect(() =>
      new FrameParser().push(Buffer.from('00000000020a00'.padEnd(14, '0'), 'hex')),
    ).not.toThrow();
    expect(() => new FrameParser().push(Buffer.from('000000020a00', 'hex'))).toThrow(
      'no protobuf of Kubernetes',
    );
  });
});

test('an object of a kind that is not read is its kind alone', () => {
  expect(decodeObject(encodeObject({ kind: 'Gateway', apiVersion: 'x/v1', spec: {} }))).toEqual({
    kind: 'Gateway',
    apiVersion: 'x/v1',
  });
});
