import { BodyError } from './body-error.ts';

/** How deep values may be nested; objects of the API reach about 20. */
const depthLimit = 200;
/**
 * How much memory one value may need when it is parsed, in bytes. Every object that etcd stores (1.5 MB) must fit, or one object
 * could keep us from reading all others. Owner references of one letter need most: 30 MB by this count.
 */
export const valueLimit = 32 * 1024 * 1024;

/** Roughly what V8 allocates for each part of a value, in bytes. `[[],[],[]]` needs 20 times the memory of its text. */
export const cost = { collection: 48, member: 8, element: 8, string: 24 };

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Finds the structure of JSON text that arrives in pieces. Before anything is parsed it refuses text that is nested too deeply or
 * would need too much memory.
 */
export class JsonScanner {
  #depth = 0;
  #cost = 0;
  #inString = false;
  #isEscaped = false;

  /** How many brackets and braces are open after the byte that `next` returned. */
  get depth(): number {
    return this.#depth;
  }

  /** Whether the text could end here. */
  get isComplete(): boolean {
    return this.#depth === 0 && !this.#inString;
  }

  /** The index of the next bracket, brace, comma or colon outside of strings; -1 if the piece has no more. */
  next(piece: Uint8Array, from: number): number {
    let at = from;
    while (at < piece.length) {
      if (this.#inString) at = this.#skipString(piece, at);
      const byte = piece[at];
      if (byte === quote) this.#startString();
      else if (byte === openBrace || byte === openBracket) {
        this.#open();
        return at;
      } else if (byte === closeBrace || byte === closeBracket) {
        this.#depth--;
        return at;
      } else if (byte === comma || byte === colon) {
        this.#charge(byte === colon ? cost.member : cost.element);
        return at;
      }
      at++;
    }
    return -1;
  }

  /** Scans a whole piece for depth and memory. */
  scan(piece: Uint8Array): void {
    for (let at = this.next(piece, 0); at >= 0; ) at = this.next(piece, at + 1);
  }

  /** Begins to count the memory of the next value. */
  startValue(): void {
    this.#cost = 0;
  }

  /** Starts again with a new text. */
  reset(): void {
    this.#depth = 0;
    this.#cost = 0;
    this.#inString = false;
    this.#isEscaped = false;
  }

  /** The index behind the end of a string, or the end of the piece. */
  #skipString(piece: Uint8Array, from: number): number {
    let at = from;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      at++;
    }
    for (; at < piece.length; at++) {
      const byte = piece[at];
      if (byte === backslash) {
        if (++at >= piece.length) this.#isEscaped = true;
      } else if (byte === quote) {
        this.#inString = false;
        return at + 1;
      }
    }
    return piece.length;
  }

  #startString(): void {
    this.#inString = true;
    this.#cost += cost.string;
  }

  #open(): void {
    if (++this.#depth > depthLimit) throw new BodyError(`more than ${depthLimit} levels deep`);
    this.#charge(cost.collection);
  }

  #charge(bytes: number): void {
    this.#cost += bytes;
    if (this.#cost > valueLimit)
      throw new BodyError(`a value that needs more than ${valueLimit} bytes`);
  }
}

/** Parses text. Throws a BodyError if it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new BodyError(cause instanceof Error ? cause.message : 'not JSON', { cause });
  }
}
