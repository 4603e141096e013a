import { BodyError } from './body-error.ts';
import { BlockPool, ByteBuffer } from './byte-buffer.ts';
import { JsonScanner, parseJson } from './json-scanner.ts';

/** The largest object that is read, in bytes: etcd stores at most 1.5 MB, and JSON needs up to six bytes for one (`\u003c`). */
export const objectLimit = 12 * 1024 * 1024;
/** How many bytes a list may have besides its items. */
export const skeletonLimit = 64 * 1024;
/** How many items a list may have: the name of each is remembered. */
export const itemLimit = 1_000_000;
/** How many bytes a list may have. */
export const listLimit = 4 * 1024 * 1024 * 1024;

const lineFeed = 0x0a;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const closeBrace = 0x7d;

/**
 * Reads a Kubernetes list (`{"metadata":{…},"items":[…]}`) as it arrives. An item is returned with its last byte, so that at most one
 * item and the skeleton of the list are in memory.
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
   * @param pool provides the memory until it is closed
   * @param onHead called with the fields before the items, before any item is returned; may throw
   */
  constructor(pool = new BlockPool(), onHead: (head: unknown) => void = () => {}) {
    this.#onHead = onHead;
    this.#skeleton = new ByteBuffer(pool);
    this.#item = new ByteBuffer(pool);
  }

  /** Takes the next bytes and returns the items that they complete. Throws a BodyError if they cannot be part of a list. */
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

  /** Ends the list and returns it without its items. */
  finish(): unknown {
    if (!this.#scanner.isComplete) throw new BodyError('the list breaks off');
    return parseJson(this.#skeleton.take());
  }

  /** Gives the memory back. */
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

  /** The text of the item that these bytes complete. Most items are in one chunk and are not copied. */
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

/** Reads the JSON values of a watch, one in each line, as they arrive. */
export class LineParser {
  readonly #scanner = new JsonScanner();
  readonly #line: ByteBuffer;

  /** @param pool provides the memory until it is closed */
  constructor(pool = new BlockPool()) {
    this.#line = new ByteBuffer(pool);
  }

  /** Takes the next bytes and returns the values whose lines they complete. Blank lines are ignored. */
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

  /** Ends the stream. Throws a BodyError in the middle of a line. */
  finish(): undefined {
    if (this.#line.take().trim() !== '') throw new BodyError('the stream breaks off in a line');
  }

  /** Gives the memory back. */
  close(): void {
    this.#line.clear();
  }

  /** The text of the line that these bytes complete. Most lines are in one chunk and are not copied. */
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

/** Reads one JSON value that arrives in pieces, up to a number of bytes. */
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
