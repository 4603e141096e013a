import { type Clock, seconds } from '../runner/clock.ts';
import type { LineWriter } from './sink.ts';

/** How much waits for a reader that is slow, in bytes of memory. */
const bufferLimit = 256 * 1024;
/** What a line costs besides its bytes. */
const lineCost = 128;
/** How often a reader that did not read is tried again. */
const retryInterval = seconds(0.1);

/** Writes bytes to where they are read, and gives how many it took: 0 if the reader is slow. Throws if there is none. */
export type WriteBytes = (bytes: Uint8Array) => number;

export interface LineBufferOptions {
  readonly write: WriteBytes;
  readonly clock: Clock;
  /** Hears, when the reader reads again, how many lines it has missed. */
  readonly onMissed: (count: number) => void;
}

/**
 * Writes lines at once where the reader takes them, and never waits for it: lines wait in a buffer of fixed size, and
 * those that find it full are dropped and counted.
 */
export class LineBuffer implements LineWriter {
  readonly #options: LineBufferOptions;
  readonly #waiting: Uint8Array[] = [];
  #size = 0;
  #missed = 0;
  #dropped = 0;
  #willRetry = false;

  constructor(options: LineBufferOptions) {
    this.#options = options;
  }

  /** How many lines were dropped in all. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether everything that was not dropped is written. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Writes a line, at once or soon. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    const size = bytes.length + lineCost;
    if (this.#size + size > bufferLimit) return this.#drop();
    this.#waiting.push(bytes);
    this.#size += size;
    // While the reader is slow, it is not tried at each line.
    if (!this.#willRetry) this.flush();
  }

  /** Writes what waits, as far as the reader takes it. */
  flush(): void {
    let hasReader = false;
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      const written = this.#tryWrite(first);
      if (written === undefined) this.#drop();
      else if (written < first.length) return this.#retryLater(first.subarray(written));
      hasReader = written !== undefined;
      this.#waiting.shift();
      this.#size -= first.length + lineCost;
    }
    const missed = this.#missed;
    if (!hasReader || missed === 0) return;
    this.#missed = 0;
    this.#options.onMissed(missed);
  }

  #tryWrite(bytes: Uint8Array): number | undefined {
    try {
      return this.#options.write(bytes);
    } catch {
      return undefined;
    }
  }

  #drop(): void {
    this.#dropped++;
    this.#missed++;
  }

  /** Tries again in a moment, with what is left of the first line. */
  #retryLater(rest: Uint8Array): void {
    this.#size -= (this.#waiting[0]?.length ?? 0) - rest.length;
    this.#waiting[0] = rest;
    if (this.#willRetry) return;
    this.#willRetry = true;
    this.#options.clock.after(retryInterval, () => {
      this.#willRetry = false;
      this.flush();
    });
  }
}
