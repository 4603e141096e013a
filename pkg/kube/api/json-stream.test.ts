import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BodyError } from './body-error.ts';
import { BlockPool } from './byte-buffer.ts';
import { LineParser, ListParser } from './json-stream.ts';

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
/** Any JSON value, with quotes, backslashes, brackets and all planes of Unicode in its strings. */
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
    expect(() => readList([encoder.encode(text)])).toThrow(BodyError);
  });

  test('any bytes give items or a BodyError, nothing else', () => {
    const noise = fc.array(fc.constantFrom(...Array.from('{"items":[]},\\x1 ')), { maxLength: 60 });
    fc.assert(
      fc.property(noise, (letters) => {
        try {
          readList([encoder.encode(letters.join(''))]);
        } catch (error) {
          expect(error).toBeInstanceOf(BodyError);
        }
      }),
    );
  });

  test.each([
    ['an item of more than 12 MB', '{"items":["', 'x'.repeat(1024 * 1024), 13],
    ['more around the items than anybody would send', '{"a":"', 'x'.repeat(1024), 65],
    ['nested to exhaustion', '{"items":[', '[', 200],
    ['of many values in little text', '{"items":[[', '[],'.repeat(1000), 1000],
    ['of many brackets that could each begin the items', '{', '"a":[],'.repeat(1000), 10],
    ['with its items twice', '{"items":[{}]', ',"items":[{}]', 1],
  ])('a list is refused before it costs anything: %s', (_name, start, piece, count) => {
    const parser = new ListParser();
    parser.push(encoder.encode(start));
    const bytes = encoder.encode(piece);
    expect(() => {
      for (let index = 0; index < count; index++) parser.push(bytes);
    }).toThrow(/^.*(more than|twice).*$/);
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

  test.each([
    ['of more than 12 MB', '"', 'x'.repeat(1024 * 1024), 13],
    ['nested to exhaustion', '', '[', 201],
    ['of many values in little text', '[', '{},'.repeat(1000), 1000],
  ])('a line is refused before it costs anything: %s', (_name, start, piece, count) => {
    const parser = new LineParser();
    parser.push(encoder.encode(start));
    const bytes = encoder.encode(piece);
    expect(() => {
      for (let index = 0; index < count; index++) parser.push(bytes);
    }).toThrow('more than');
  });

  test('what all streams of one client keep is limited, and given back', () => {
    const pool = new BlockPool();
    const parsers = [new LineParser(pool), new LineParser(pool), new ListParser(pool)];
    const megabyte = encoder.encode('x'.repeat(1024 * 1024));
    const fill = (parser: LineParser | ListParser | undefined) => {
      parser?.push(encoder.encode(parser instanceof ListParser ? '{"items":["' : '"'));
      for (let count = 0; count < 11; count++) parser?.push(megabyte);
    };
    fill(parsers[0]);
    fill(parsers[1]);
    expect(() => fill(parsers[2])).toThrow('not complete');
    for (const parser of parsers) parser.close();
    expect(() => fill(new LineParser(pool))).not.toThrow();
  });

  test('depth and cost count anew in each line', () => {
    const line = encoder.encode(`${'['.repeat(150)}${']'.repeat(150)}\n`);
    const parser = new LineParser();
    let values = 0;
    for (let count = 0; count < 5000; count++) values += parser.push(line).length;
    const many = encoder.encode(`[${'[],'.repeat(100_000)}0]\n`);
    for (let count = 0; count < 6; count++) values += parser.push(many).length;
    expect(values).toBe(5006);
  });

  test('a line that is not JSON is an error', () => {
    expect(() => readLines([encoder.encode('<html>\n')])).toThrow(BodyError);
  });
});
