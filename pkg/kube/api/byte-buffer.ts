import { BodyError } from './body-error.ts';

/** The size of one block. A buffer's memory exceeds its content by at most this. */
const blockSize = 64 * 1024;
/** How many bytes all buffers of a pool may hold: two of the largest objects. */
const poolLimit = 24 * 1024 * 1024;

/** Memory blocks shared by many buffers, which take blocks and give them back, so that there is no garbage. */
export class BlockPool {
  readonly #free: Buffer[] = [];
  #count = 0;

  /** Returns a block with arbitrary content. Throws a BodyError if the limit of the pool is reached. */
  take(): Buffer {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#count * blockSize >= poolLimit)
      throw new BodyError(`more than ${poolLimit} bytes of objects that are not complete`);
    this.#count++;
    return Buffer.allocUnsafeSlow(blockSize);
  }

  /** Takes back blocks that are no longer used. */
  give(blocks: readonly Buffer[]): void {
    this.#free.push(...blocks);
  }
}

/**
 * Bytes that arrive in pieces and become text when they are complete, as a character may be split between pieces. They are copied
 * into blocks of one size, so that the memory depends on their number and not on that of the pieces: a kept piece costs a hundred
 * bytes and everything that arrived with it.
 */
export class ByteBuffer {
  readonly #pool: BlockPool;
  #blocks: Buffer[] = [];
  #length = 0;

  constructor(pool = new BlockPool()) {
    this.#pool = pool;
  }

  /** The number of bytes. */
  get length(): number {
    return this.#length;
  }

  /** Copies bytes to the end. */
  append(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      const used = this.#length % blockSize;
      const block = this.#block(Math.floor(this.#length / blockSize));
      const part = piece.subarray(at, at + blockSize - used);
      block.set(part, used);
      this.#length += part.length;
      at += part.length;
    }
  }

  /** The last bytes, at most this many, one character each. */
  tail(length: number): string {
    return this.#slice(Math.max(0, this.#length - length)).toString('latin1');
  }

  /** Everything as text. */
  text(): string {
    return this.#slice(0).toString('utf8');
  }

  /** Everything as bytes, valid until the next append or clear. */
  bytes(): Uint8Array {
    return this.#slice(0);
  }

  /** Everything as text. Empties the buffer. */
  take(): string {
    const text = this.text();
    this.clear();
    return text;
  }

  /** Empties the buffer and gives its memory back. */
  clear(): void {
    this.#pool.give(this.#blocks);
    this.#blocks = [];
    this.#length = 0;
  }

  #block(index: number): Buffer {
    let block = this.#blocks[index];
    if (block === undefined) this.#blocks.push((block = this.#pool.take()));
    return block;
  }

  #slice(start: number): Buffer {
    const first = Math.floor(start / blockSize);
    const blocks = this.#blocks.slice(first);
    const [only] = blocks;
    const from = start - first * blockSize;
    const to = this.#length - first * blockSize;
    if (only !== undefined && blocks.length === 1) return only.subarray(from, to);
    return Buffer.concat(blocks, to).subarray(from);
  }
}
