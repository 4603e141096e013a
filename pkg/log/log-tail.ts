import type { LineWriter } from './sink.ts';

/** How many bytes of lines are kept. */
const tailLimit = 256 * 1024;

/** Keeps the last lines of the log. */
export class LogTail implements LineWriter {
  readonly #lines: { readonly text: string; readonly size: number }[] = [];
  #size = 0;

  write(text: string): void {
    const size = Buffer.byteLength(text);
    this.#lines.push({ text, size });
    this.#size += size;
    while (this.#size > tailLimit) this.#size -= this.#lines.shift()?.size ?? this.#size;
  }

  /** The lines that are kept, oldest first, each with its line end. */
  read(): string {
    return this.#lines.map(({ text }) => text).join('');
  }
}
