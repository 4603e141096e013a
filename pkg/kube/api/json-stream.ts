import { BodyError } from './body-error.ts';
import { BlockPool, ByteBuffer } from './byte-buffer.ts';
import { JsonScanner, parseJson } from './json-scanner.ts';

/** The largest object, in bytes, that is read: etcd stores at most 1.5 MB, and JSON writes one byte in six (`\u003c`) at worst. */
export const objectLimit = 12 * 1024 * 1024;
/** How much may stand around the items of a list: its kind, its version. */
export const skeletonLimit = 64 * 1024;
/** How many items one list may have: each object is remembered by its name. */
export const itemLimit = 1_000_000;
/** How many bytes one list may have, however small its items. */
export const listLimit = 4 * 1024 * 1024 * 1024;

const lineFeed = 0x0a;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const closeBrace = 0x7d;

/**
 * Reads a Kubernetes list (`{"metadata":{…},"items":[…]}`) as it arrives: an item is given as soon as its last byte
 * is there, and never more than one item and what stands around the items is kept.
 *
 *     {"kind":"ServiceList","metadata":{"resourceVersion":"7"},"items":[   {…}  ,  {…}  ]}
 *     └── skeleton ────────────────────────────────────────────────────┘ item    item └┘ skeleton
 */
export class ListParser {
  readonly #scanner = new JsonScanner();
  readonly #skeleton: ByteBuffer;
  readonly #item: ByteBuffer;
  #inItems = false;
  #hadItems = false;
  #itemCount = 0;
  #length = 0;
  readonly #onHead: (head: unknown) => void;

  /**
   * @param pool where it takes its memory from, until it is closed
   * @param onHead hears what stands before the items, before any of them is given; it may throw
   */
  constructor(pool = new BlockPool(), onHead: (head: unknown) => void = () => {}) {
    this.#onHead = onHead;
    this.#skeleton = new ByteBuffer(pool);
    this.#item = new ByteBuffer(pool);
  }

  /** Takes the next bytes and gives the items that are complete with them; a BodyError for what can be no list. */
  push(chunk: Uint8Array): unknown[] {
    const items: unknown[] = [];
    let start = 0;
    this.#length += chunk.length;
    if (this.#length > listLimit) throw new BodyError(`a list of more than ${listLimit} bytes`);
    for (let at = this.#scanner.next(chunk, 0); at >= 0; at = this.#scanner.next(chunk, at + 1)) {
      const byte = chunk[at];
      const { depth } = this.#scanner;
      if (!this.#inItems) {
        if (byte !== openBracket || depth !== 2) continue;
        this.#keep(chunk.subarray(start, at + 1));
        start = at + 1;
        if (this.#isAfterItemsKey()) this.#startItems();
      } else if (byte === comma && depth === 2) {
        items.push(this.#endItem(chunk.subarray(start, at)));
        start = at + 1;
      } else if ((byte === closeBracket || byte === closeBrace) && depth === 1) {
        items.push(...this.#endItems(chunk.subarray(start, at)));
        start = at;
      }
    }
    this.#keep(chunk.subarray(start));
    return items;
  }

  /** Ends the list and gives what stood around its items. */
  finish(): unknown {
    if (!this.#scanner.isComplete) throw new BodyError('the list breaks off');
    return parseJson(this.#skeleton.take());
  }

  /** Gives its memory back. */
  close(): void {
    this.#skeleton.clear();
    this.#item.clear();
  }

  #startItems(): void {
    if (this.#hadItems) throw new BodyError('a list that has its items twice');
    this.#onHead(parseJson(`${this.#skeleton.text()}]}`));
    this.#hadItems = true;
    this.#inItems = true;
    this.#scanner.startValue();
  }

  #endItem(last: Uint8Array): unknown {
    this.#itemCount++;
    if (this.#itemCount > itemLimit) throw new BodyError(`a list of more than ${itemLimit} items`);
    this.#scanner.startValue();
    return parseJson(this.#itemText(last));
  }

  #endItems(last: Uint8Array): unknown[] {
    const text = this.#itemText(last);
    this.#inItems = false;
    return this.#itemCount === 0 && text.trim() === '' ? [] : [parseJson(text)];
  }

  /** The text of the item that these bytes complete. Most lie in one chunk, and need no copy. */
  #itemText(last: Uint8Array): string {
    if (this.#item.length === 0) return textOf(last);
    this.#keep(last);
    return this.#item.take();
  }

  #isAfterItemsKey(): boolean {
    return /[{,]\s*"items"\s*:\s*\[$/.test(this.#skeleton.tail(200));
  }

  #keep(bytes: Uint8Array): void {
    const [buffer, limit] = this.#inItems
      ? [this.#item, objectLimit]
      : [this.#skeleton, skeletonLimit];
    if (buffer.length + bytes.length > limit) {
      const what = this.#inItems ? 'an item' : 'a list with, besides its items,';
      throw new BodyError(`${what} of more than ${limit} bytes`);
    }
    buffer.append(bytes);
  }
}

/** Reads JSON values that stand one a line, as a watch sends them, as they arrive. */
export class LineParser {
  readonly #scanner = new JsonScanner();
  readonly #line: ByteBuffer;

  /** @param pool where it takes its memory from, until it is closed */
  constructor(pool = new BlockPool()) {
    this.#line = new ByteBuffer(pool);
  }

  /** Takes the next bytes and gives the values whose lines are complete with them; blank lines mean nothing. */
  push(chunk: Uint8Array): unknown[] {
    const values: unknown[] = [];
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      const text = this.#endLine(chunk.subarray(start, end));
      if (text.trim() !== '') values.push(parseJson(text));
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return values;
  }

  /** Ends the stream, which must not be in the middle of a line. */
  finish(): undefined {
    if (this.#line.take().trim() !== '') throw new BodyError('the stream breaks off in a line');
  }

  /** Gives its memory back. */
  close(): void {
    this.#line.clear();
  }

  /** The text of the line that these bytes complete. Most lie in one chunk, and need no copy. */
  #endLine(last: Uint8Array): string {
    const isWhole = this.#line.length === 0;
    if (isWhole) this.#scanner.scan(last);
    else this.#keep(last);
    this.#scanner.reset();
    return isWhole ? textOf(last) : this.#line.take();
  }

  #keep(bytes: Uint8Array): void {
    if (this.#line.length + bytes.length > objectLimit)
      throw new BodyError(`a line of more than ${objectLimit} bytes`);
    this.#scanner.scan(bytes);
    this.#line.append(bytes);
  }
}

/** Reads one JSON value that arrives in pieces, and refuses more than a number of bytes. */
export class ValueParser {
  readonly #scanner = new JsonScanner();
  readonly #text = new ByteBuffer();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes the next bytes. */
  push(chunk: Uint8Array): void {
    if (this.#text.length + chunk.length > this.#limit)
      throw new BodyError(`an answer of more than ${this.#limit} bytes`);
    this.#scanner.scan(chunk);
    this.#text.append(chunk);
  }

  /** The value. */
  finish(): unknown {
    return parseJson(this.#text.take());
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
