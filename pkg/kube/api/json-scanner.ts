import { BodyError } from './body-error.ts';

/** How deep values may be nested; objects of the API reach about twenty. */
const depthLimit = 200;
/**
 * How much memory, in bytes, one value may need when it is parsed. It must be more than any object needs that etcd stores
 * (1.5 MB): whoever may write one could else keep everybody's objects from being read. Owner references of one
 * letter need most, 30 MB by this count.
 */
export const valueLimit = 32 * 1024 * 1024;

/** About what V8 allocates for each part of a value, in bytes: `[[],[],[]]` needs twenty times as much as its text. */
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
 * Finds the structure of JSON text that arrives in pieces, and refuses, before anything is parsed, what is nested too
 * deeply or would need too much memory.
 */
export class JsonScanner {
  #depth = 0;
  #cost = 0;
  #inString = false;
  #isEscaped = false;

  /** How many brackets and braces are open after the byte that `next` found. */
  get depth(): number {
    return this.#depth;
  }

  /** Whether the text so far could end here. */
  get isComplete(): boolean {
    return this.#depth === 0 && !this.#inString;
  }

  /** The place of the next bracket, brace, comma or colon that is not part of a string; -1 if the piece has no more. */
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

  /** Reads a whole piece for its depth and cost. */
  scan(piece: Uint8Array): void {
    for (let at = this.next(piece, 0); at >= 0; ) at = this.next(piece, at + 1);
  }

  /** Starts to count the cost of the next value. */
  startValue(): void {
    this.#cost = 0;
  }

  /** Forgets everything, for the next text. */
  reset(): void {
    this.#depth = 0;
    this.#cost = 0;
    this.#inString = false;
    this.#isEscaped = false;
  }

  /** The place behind the end of a string, or the end of the piece. */
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

/** Parses text; a BodyError if it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new BodyError(cause instanceof Error ? cause.message : 'not JSON', { cause });
  }
}
