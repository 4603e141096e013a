import { isLittleEndian } from './reader.ts';

/** A value does not fit its schema. The path leads from the outermost table to the culprit. */
export class EncodeError extends Error {
  readonly reason: string;
  readonly path: readonly string[];

  constructor(reason: string, path: readonly string[] = []) {
    super([...path, reason].join(': '));
    this.name = 'EncodeError';
    this.reason = reason;
    this.path = path;
  }

  /** The same error, seen from one level further out. */
  within(name: string): EncodeError {
    return new EncodeError(this.reason, [name, ...this.path]);
  }
}

const utf8 = new TextEncoder();

/** A growing buffer, meant to be used again for the next batch. */
export class Writer {
  /** The whole buffer; only the first `length` bytes mean anything. It is another one after it grew. */
  bytes: Uint8Array;
  length = 0;
  /** Of the whole buffer; another one after it grew. */
  view: DataView;

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** A view of what was written, good until the next write. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** Forgets everything from `length` on. */
  truncate(length: number): void {
    this.length = length;
  }

  /** Forgets everything before `start`; what follows moves to the front. */
  discard(start: number): void {
    this.bytes.copyWithin(0, start, this.length);
    this.length -= start;
  }

  u8(value: number): void {
    const at = this.reserve(1);
    this.bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.reserve(2);
    this.view.setUint16(at, value, isLittleEndian);
  }

  u16be(value: number): void {
    const at = this.reserve(2);
    this.view.setUint16(at, value, false);
  }

  u32(value: number): void {
    const at = this.reserve(4);
    this.view.setUint32(at, value, isLittleEndian);
  }

  u32be(value: number): void {
    const at = this.reserve(4);
    this.view.setUint32(at, value, false);
  }

  s32(value: number): void {
    const at = this.reserve(4);
    this.view.setInt32(at, value, isLittleEndian);
  }

  u64(value: bigint): void {
    const at = this.reserve(8);
    this.view.setBigUint64(at, value, isLittleEndian);
  }

  u64be(value: bigint): void {
    const at = this.reserve(8);
    this.view.setBigUint64(at, value, false);
  }

  put(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
  }

  zeros(count: number): void {
    const at = this.reserve(count);
    this.bytes.fill(0, at, at + count);
  }

  /** The text and a zero byte behind it. */
  text(value: string): void {
    const start = this.reserve(value.length + 1);
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) {
        this.length = start;
        this.put(utf8.encode(value));
        this.u8(0);
        return;
      }
      this.bytes[start + index] = code;
    }
    this.bytes[start + value.length] = 0;
  }

  /** Zeros up to the next multiple of four. */
  align(): void {
    const rest = this.length & 3;
    if (rest !== 0) this.zeros(4 - rest);
  }

  /** Overwrites two bytes at `at`, in this machine's order. */
  patchU16(at: number, value: number): void {
    this.view.setUint16(at, value, isLittleEndian);
  }

  /** Overwrites four bytes at `at`, in this machine's order. */
  patchU32(at: number, value: number): void {
    this.view.setUint32(at, value, isLittleEndian);
  }

  /** Makes room and returns where it starts. Ask for `bytes` and `view` after it, never before: they may be others. */
  reserve(count: number): number {
    const at = this.length;
    const length = at + count;
    if (length > this.bytes.length) this.#grow(length);
    this.length = length;
    return at;
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}
