import type { Resetter } from './reset.ts';

/** A resetter for a process without CAP_NET_RAW: sends nothing, and reports each packet that it would have sent. */
export class AbsentResetter implements Resetter {
  readonly #onSkipped: () => void;

  constructor(onSkipped: () => void) {
    this.#onSkipped = onSkipped;
  }

  challenge(): boolean {
    this.#onSkipped();
    return false;
  }

  abort(): boolean {
    this.#onSkipped();
    return false;
  }

  /** Does nothing, as nothing is open. */
  close(): void {}
}
