import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonStreamError, LineParser, ListParser } from './json-stream.ts';

const encoder = new TextEncoder();

/** Text as bytes, cut at arbitrary places, within characters too. */
function chunks(text: string, cuts: readonly number[]): Uint8Array[] {
  const bytes = encoder.encode(text);
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

function readList(pieces: readonly Uint8Array[]): { items: unknown[]; rest: unknown } {
  const parser = new ListParser();
  const items = pieces.flatMap((piece) => parser.push(piece));
  return { items, rest: parser.finish() };
}

function readLines(pieces: readonly Uint8Array[]): unknown[] {
  const parser = new LineParser();
  const values = pieces.flatMap((piece) => parser.push(piece));
  parser.finish();
  return values;
}

const cuts = fc.array(fc.nat(), { maxLength: 12 });
/** Whatever JSON can say, with quotes, backslashes, brackets and every plane of Unicode in its strings. */
const json = fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 3 });
const spiced = fc.oneof(
  json,
  fc.constantFrom('"', '\\', '\\"', '],', '{"items":[', 'é😀', '\u0000\n'),
);

describe('ListParser', () => {
  test('gives every item of any list cut anywhere, and what stands around them', () => {
    const list = fc.record({
      kind: fc.constant('ServiceList'),
      metadata: fc.record({ resourceVersion: fc.string(), odd: spiced }),
      items: fc.array(fc.record({ metadata: spiced, items: spiced }), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(list, cuts, fc.constantFrom(0, 1, 3), (value, places, indent) => {
        const { items, ...rest } = value;
        const result = readList(chunks(JSON.stringify(value, null, indent), places));
        expect(result.items).toEqual(JSON.parse(JSON.stringify(items)));
        expect(result.rest).toEqual({ ...JSON.parse(JSON.stringify(rest)), items: [] });
      }),
    );
  });

  test('finds the items wherever they stand in the list', () => {
    const text = '{ "items" : [ 1 , "a,]" ] , "notitems":["items"], "metadata":{"items":[7]}}';
    const { items, rest } = readList(chunks(text, [3, 4, 5, 13, 20]));
    expect(items).toEqual([1, 'a,]']);
    expect(rest).toEqual({ items: [], notitems: ['items'], metadata: { items: [7] } });
  });

  test.each([
    ['no list at all', '{"kind":"Status","code":410}', { kind: 'Status', code: 410 }],
    ['a null list, as Go prints an empty one', '{"items":null}', { items: null }],
    ['an empty list', '{"items":[ \n ]}', { items: [] }],
    ['a key that only ends like it', '{"x\\"items":[1]}', { 'x"items': [1] }],
  ])('%s has no items', (_name, text, rest) => {
    expect(readList([encoder.encode(text)])).toEqual({ items: [], rest });
  });

  test('gives an item as soon as its end is known, however slowly the rest comes', () => {
    const parser = new ListParser();
    expect(parser.push(encoder.encode('{"items":[{"a":1},{"b"'))).toEqual([{ a: 1 }]);
    expect(parser.push(encoder.encode(':2}'))).toEqual([]);
    expect(parser.push(encoder.encode(']'))).toEqual([{ b: 2 }]);
  });

  test('reads an annotation of 1 MB that comes in small pieces', () => {
    const note = '"\\é😀{[,]}'.repeat(100_000);
    const bytes = encoder.encode(JSON.stringify({ items: [{ note }, { note: '' }] }));
    const pieces = Array.from({ length: Math.ceil(bytes.length / 1460) }, (_, index) =>
      bytes.subarray(index * 1460, (index + 1) * 1460),
    );
    expect(readList(pieces).items).toEqual([{ note }, { note: '' }]);
  });

  test.each([
    ['breaks off in an item', '{"items":[{"a":1'],
    ['breaks off after an item', '{"items":[{"a":1},'],
    ['breaks off after the items', '{"items":[{"a":1}]'],
    ['breaks off in a string', '{"items":[{"a":"'],
    ['has a comma too many', '{"items":[1,]}'],
    ['lacks a comma', '{"items":[{}{}]}'],
    ['mixes up its brackets', '{"items":[{"a":[}]]}'],
    ['is followed by something', '{"items":[]}x'],
    ['is empty', ''],
  ])('a list that %s is an error', (_name, text) => {
    expect(() => readList([encoder.encode(text)])).toThrow(JsonStreamError);
  });

  test('any bytes give items or a JsonStreamError, nothing else', () => {
    const noise = fc.array(fc.constantFrom(...Array.from('{"items":[]},\\x1 ')), { maxLength: 60 });
    fc.assert(
      fc.property(noise, (letters) => {
        try {
          readList([encoder.encode(letters.join(''))]);
        } catch (error) {
          expect(error).toBeInstanceOf(JsonStreamError);
        }
      }),
    );
  });

  test('an object larger than any real one is refused before it fills the memory', () => {
    const parser = new ListParser();
    parser.push(encoder.encode('{"items":["'));
    const piece = encoder.encode('x'.repeat(1024 * 1024));
    expect(() => {
      for (let count = 0; count < 40; count++) parser.push(piece);
    }).toThrow('more than');
  });
});

describe('LineParser', () => {
  test('gives every value of any lines cut anywhere', () => {
    fc.assert(
      fc.property(fc.array(spiced, { maxLength: 8 }), cuts, (values, places) => {
        const text = values.map((value) => `${JSON.stringify(value)}\n`).join('');
        expect(readLines(chunks(text, places))).toEqual(
          values.map((value) => JSON.parse(JSON.stringify(value))),
        );
      }),
    );
  });

  test('does not mind blank lines and carriage returns', () => {
    expect(readLines([encoder.encode('{"a":1}\r\n\n  \n{"b":2}\n')])).toEqual([{ a: 1 }, { b: 2 }]);
  });

  test.each(['{"a":1}\n{"b"', '{"a":1}\n{"b":2}'])(
    'a stream that is cut in mid-event is an error: %j',
    (text) => {
      expect(() => readLines([encoder.encode(text)])).toThrow('breaks off');
    },
  );

  test('a line that is not JSON is an error', () => {
    expect(() => readLines([encoder.encode('<html>\n')])).toThrow(JsonStreamError);
  });
});
