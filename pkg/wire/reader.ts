/** Received bytes that do not match their schema. The path leads from the outermost table to the invalid value. */
export class DecodeError extends Error {
  readonly reason: string;
  readonly path: readonly string[];

  constructor(reason: string, path: readonly string[] = []) {
    super([...path, reason].join(': '));
    this.name = 'DecodeError';
    this.reason = reason;
    this.path = path;
  }

  /** The same error with the path of the table around it. */
  within(name: string): DecodeError {
    return new DecodeError(this.reason, [name, ...this.path]);
  }
}

/** Whether this machine's integers start with their lowest byte. */
export const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const utf8 = new TextDecoder();

/**
 * A cursor over received bytes. It never reads past `end`, which is narrowed for nested values. Results are copies, as the bytes
 * may be overwritten by the next receive.
 */
export class Reader {
  readonly bytes: Uint8Array;
  offset: number;
  end: number;
  /** Over all bytes, for readers of fixed offsets. */
  readonly view: DataView;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many bytes are left up to `end`. */
  get remaining(): number {
    return this.end - this.offset;
  }

  /** Sets the end to `length` bytes from here. Returns the former end, which the caller restores. */
  narrow(length: number): number {
    const end = this.end;
    if (length < 0 || length > end - this.offset) throw short(length, end - this.offset);
    this.end = this.offset + length;
    return end;
  }

  u8(): number {
    return this.view.getUint8(this.#advance(1));
  }

  /** Two bytes in this machine's order. */
  u16(): number {
    return this.view.getUint16(this.#advance(2), isLittleEndian);
  }

  /** Two bytes in network order. */
  u16be(): number {
    return this.view.getUint16(this.#advance(2), false);
  }

  /** Four bytes in this machine's order. */
  u32(): number {
    return this.view.getUint32(this.#advance(4), isLittleEndian);
  }

  /** Four bytes in network order. */
  u32be(): number {
    return this.view.getUint32(this.#advance(4), false);
  }

  /** Four bytes in this machine's order, signed. */
  s32(): number {
    return this.view.getInt32(this.#advance(4), isLittleEndian);
  }

  /** Eight bytes in this machine's order. */
  u64(): bigint {
    return this.view.getBigUint64(this.#advance(8), isLittleEndian);
  }

  /** Eight bytes in network order. */
  u64be(): bigint {
    return this.view.getBigUint64(this.#advance(8), false);
  }

  /** A copy of the next bytes. */
  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.bytes.slice(start, start + length);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  /** The text up to the first zero byte or `end`; the cursor moves to `end` either way. */
  text(): string {
    const start = this.offset;
    this.offset = this.end;
    let text = '';
    for (let at = start; at < this.end; at++) {
      const code = this.bytes[at] ?? 0;
      if (code === 0) return text;
      if (code > 0x7f) return this.#utf8(start);
      text += String.fromCharCode(code);
    }
    return text;
  }

  #utf8(start: number): string {
    const zero = this.bytes.subarray(start, this.end).indexOf(0);
    return utf8.decode(this.bytes.subarray(start, zero < 0 ? this.end : start + zero));
  }

  #advance(length: number): number {
    const start = this.offset;
    if (length < 0 || length > this.end - start) throw short(length, this.end - start);
    this.offset = start + length;
    return start;
  }
}

function short(needed: number, left: number): DecodeError {
  return new DecodeError(`needs ${needed} bytes, has ${left}`);
}
