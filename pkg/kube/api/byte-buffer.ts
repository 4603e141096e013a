import { BodyError } from './body-error.ts';

/** The size of one block; what a buffer holds is at most this much larger than what was appended. */
const blockSize = 64 * 1024;
/** How many bytes all buffers of one pool may hold: two of the largest objects. */
const poolLimit = 24 * 1024 * 1024;

/** The memory of many buffers, which take blocks from it and give them back; none is left to be collected. */
export class BlockPool {
  readonly #free: Buffer[] = [];
  #count = 0;

  /** A block of any content; a BodyError where the buffers hold too much already. */
  take(): Buffer {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#count * blockSize >= poolLimit)
      throw new BodyError(`more than ${poolLimit} bytes of objects that are not complete`);
    this.#count++;
    return Buffer.allocUnsafeSlow(blockSize);
  }

  /** Takes blocks back, which nobody uses any more. */
  give(blocks: readonly Buffer[]): void {
    this.#free.push(...blocks);
  }
}

/**
 * Bytes that arrive in pieces and are made into text when they are complete, for a character may lie across two pieces.
 * They are copied into blocks of one size, so that memory follows their number and not that of the pieces: a piece that
 * is kept costs a hundred bytes of its own and everything that arrived with it.
 */
export class ByteBuffer {
  readonly #pool: BlockPool;
  #blocks: Buffer[] = [];
  #length = 0;

  constructor(pool = new BlockPool()) {
    this.#pool = pool;
  }

  /** How many bytes there are. */
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

  /** Everything as bytes, good until the next append or clear. */
  bytes(): Uint8Array {
    return this.#slice(0);
  }

  /** Everything as text; the buffer is empty then. */
  take(): string {
    const text = this.text();
    this.clear();
    return text;
  }

  /** Forgets everything, and gives its memory back. */
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
