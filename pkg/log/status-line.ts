import type { WriteBytes } from './line-buffer.ts';

/** To the beginning of the line, which is emptied from there. */
const empty = '\r\u001b[K';

/**
 * One line at the end of a terminal that is written over again and again. What is written beside it, such as lines of the log, takes
 * its place. Writes what the terminal has room for, and never waits.
 */
export class StatusLine {
  readonly #write: WriteBytes;
  /** What is shown; `undefined` for nothing. */
  #shown: string | undefined;

  constructor(write: WriteBytes) {
    this.#write = write;
  }

  /** Writes something else, after the line is gone. */
  readonly write: WriteBytes = (bytes) => {
    this.hide();
    return this.#write(bytes);
  };

  /** Shows a text, which has no line break and is shorter than the terminal is wide. */
  show(text: string): void {
    if (text === this.#shown) return;
    this.#shown = text;
    this.#put(`${empty}${text}`);
  }

  /** Removes the line if it is shown. */
  hide(): void {
    if (this.#shown === undefined) return;
    this.#shown = undefined;
    this.#put(empty);
  }

  #put(text: string): void {
    try {
      this.#write(Buffer.from(text));
    } catch {
      // Nobody looks.
    }
  }
}
