import type { Resetter } from './reset.ts';

/** Stands in where a process may open no raw socket: nothing is sent, and each packet that would have been is told. */
export class AbsentResetter implements Resetter {
  readonly #onSkipped: () => void;

  constructor(onSkipped: () => void) {
    this.#onSkipped = onSkipped;
  }

  challenge(): void {
    this.#onSkipped();
  }

  abort(): void {
    this.#onSkipped();
  }

  /** There is nothing to give back. */
  close(): void {}
}
