/** The largest object, in bytes, that is read; the API server itself stores no more than a few megabytes. */
const objectLimit = 32 * 1024 * 1024;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** JSON that breaks off, is malformed, or is larger than anybody would send. */
export class JsonStreamError extends Error {
  /** How many bytes of the stream came before. */
  readonly offset: number;

  constructor(reason: string, { offset, cause }: { offset: number; cause?: unknown }) {
    super(`JSON stream, before byte ${offset}: ${reason}`, { cause });
    this.name = 'JsonStreamError';
    this.offset = offset;
  }
}

/**
 * Reads a Kubernetes list (`{"metadata":{…},"items":[…]}`) as it arrives: an item is given as soon as its last byte
 * is there, and never more than one item and what stands around the items is kept.
 *
 *     {"kind":"ServiceList","metadata":{"resourceVersion":"7"},"items":[   {…}  ,  {…}  ]}
 *     └── skeleton ────────────────────────────────────────────────────┘ item    item └┘ skeleton
 */
export class ListParser {
  readonly #skeleton: Segments = new Segments();
  readonly #item: Segments = new Segments();
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #inItems = false;
  #itemCount = 0;
  #offset = 0;
  readonly #onHead: (head: unknown) => void;

  /** @param onHead hears what stands before the items, before any of them is given; it may throw */
  constructor(onHead: (head: unknown) => void = () => {}) {
    this.#onHead = onHead;
  }

  /** Takes the next bytes and gives the items that are complete with them. */
  push(chunk: Uint8Array): unknown[] {
    const items: unknown[] = [];
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.#inString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === backslash) this.#isEscaped = true;
        else if (byte === quote) this.#inString = false;
      } else if (byte === quote) this.#inString = true;
      else if (byte === comma) {
        if (!this.#inItems || this.#depth !== 2) continue;
        this.#endItem(chunk.subarray(start, at), items);
        start = at + 1;
      } else if (byte === openBrace || byte === openBracket) {
        this.#depth++;
        if (this.#inItems || this.#depth !== 2 || byte !== openBracket) continue;
        if (!this.#isAfterItemsKey(chunk.subarray(start, at))) continue;
        this.#keep(this.#skeleton, chunk.subarray(start, at + 1));
        this.#onHead(this.#parse(`${this.#skeleton.text()}]}`));
        this.#inItems = true;
        start = at + 1;
      } else if (byte === closeBrace || byte === closeBracket) {
        this.#depth--;
        if (!this.#inItems || this.#depth !== 1) continue;
        this.#endItems(chunk.subarray(start, at), items);
        start = at;
      }
    }
    this.#keep(this.#inItems ? this.#item : this.#skeleton, chunk.subarray(start));
    this.#offset += chunk.length;
    return items;
  }

  /** Ends the list and gives what stood around its items. */
  finish(): unknown {
    if (this.#depth !== 0 || this.#inString)
      throw new JsonStreamError('the list breaks off', { offset: this.#offset });
    return this.#parse(this.#skeleton.take());
  }

  #endItem(last: Uint8Array, items: unknown[]): void {
    this.#keep(this.#item, last);
    items.push(this.#parse(this.#item.take()));
    this.#itemCount++;
  }

  #endItems(last: Uint8Array, items: unknown[]): void {
    const isEmpty = this.#itemCount === 0 && this.#item.isBlank() && new Segments(last).isBlank();
    if (!isEmpty) this.#endItem(last, items);
    this.#item.take();
    this.#inItems = false;
    this.#itemCount = 0;
  }

  #isAfterItemsKey(bytes: Uint8Array): boolean {
    this.#keep(this.#skeleton, bytes);
    const isKey = /[{,]\s*"items"\s*:\s*$/.test(this.#skeleton.tail(200));
    this.#skeleton.drop(bytes.length);
    return isKey;
  }

  #keep(segments: Segments, bytes: Uint8Array): void {
    segments.add(bytes);
    if (segments.length > objectLimit) {
      throw new JsonStreamError(`an object of more than ${objectLimit} bytes`, {
        offset: this.#offset,
      });
    }
  }

  #parse(text: string): unknown {
    return parse(text, this.#offset);
  }
}

/** Reads JSON values that stand one a line, as a watch sends them, as they arrive. */
export class LineParser {
  readonly #line = new Segments();
  #offset = 0;

  /** Takes the next bytes and gives the values whose lines are complete with them; blank lines mean nothing. */
  push(chunk: Uint8Array): unknown[] {
    const values: unknown[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#line.add(chunk.subarray(start, end));
      const text = this.#line.take();
      if (text.trim() !== '') values.push(parse(text, this.#offset + end));
      start = end + 1;
    }
    this.#line.add(chunk.subarray(start));
    this.#offset += chunk.length;
    if (this.#line.length > objectLimit) {
      throw new JsonStreamError(`a line of more than ${objectLimit} bytes`, {
        offset: this.#offset,
      });
    }
    return values;
  }

  /** Ends the stream, which must not be in the middle of a line. */
  finish(): void {
    const text = this.#line.take();
    if (text.trim() !== '')
      throw new JsonStreamError('the stream breaks off in a line', { offset: this.#offset });
  }
}

/** Bytes in pieces, made into text only when they are complete: a character may lie across two pieces. */
class Segments {
  #pieces: Uint8Array[];
  length: number;

  constructor(...pieces: Uint8Array[]) {
    this.#pieces = pieces;
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  add(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.length += piece.length;
  }

  /** Takes back the last piece that was added, if it has this length. */
  drop(length: number): void {
    if (length === 0) return;
    this.length -= this.#pieces.pop()?.length ?? 0;
  }

  text(): string {
    return this.#bytes().toString('utf8');
  }

  /** The text, and empties itself. */
  take(): string {
    const text = this.text();
    this.#pieces = [];
    this.length = 0;
    return text;
  }

  /** The last bytes as text. */
  tail(length: number): string {
    return this.#bytes().subarray(-length).toString('latin1');
  }

  isBlank(): boolean {
    return this.#bytes().toString('latin1').trim() === '';
  }

  #bytes(): Buffer {
    const [only] = this.#pieces;
    if (this.#pieces.length !== 1 || only === undefined) return Buffer.concat(this.#pieces);
    return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
  }
}

function parse(text: string, offset: number): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new JsonStreamError(cause instanceof Error ? cause.message : 'not JSON', {
      offset,
      cause,
    });
  }
}
