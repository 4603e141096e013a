import { type Clock, seconds } from '../runner/clock.ts';
import type { LineWriter } from './sink.ts';

/** How many bytes of lines wait for a slow reader. */
const bufferLimit = 256 * 1024;
/** The memory of a line besides its text, in bytes. */
const lineCost = 128;
/** How often a write to a slow reader is tried again. */
const retryInterval = seconds(0.1);

/** Writes bytes and returns how many were taken: 0 if the reader is slow. Throws if there is no reader. */
export type WriteBytes = (bytes: Uint8Array) => number;

export interface LineBufferOptions {
  readonly write: WriteBytes;
  readonly clock: Clock;
  /** Called with the number of lines that were dropped, once the reader reads again. */
  readonly onMissed: (count: number) => void;
}

/**
 * Writes lines at once if the reader takes them, and never waits for it. Lines for a slow reader wait in a buffer of fixed size;
 * those that do not fit are dropped and counted.
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

  /** How many lines were dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether no line waits. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Writes a line now or later. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    const size = bytes.length + lineCost;
    if (this.#size + size > bufferLimit) return this.#drop();
    this.#waiting.push(bytes);
    this.#size += size;
    // A slow reader is not tried again for each line.
    if (!this.#willRetry) this.flush();
  }

  /** Writes lines that wait until the reader takes no more. */
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

  /** Schedules another attempt, beginning with the rest of the first line. */
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
