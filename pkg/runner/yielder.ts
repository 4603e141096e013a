/** How long work may go on before others get a turn, in milliseconds. */
const longest = 8;

/** Lets the event loop turn, if this one has been at work for some time: health answers and watches wait for it. */
export class Yielder {
  readonly #now: () => number;
  #since: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** Whether the event loop should turn: asking costs less than an `await` in a loop of many short steps. */
  get isDue(): boolean {
    return this.#now() - this.#since >= longest;
  }

  /** Lets the event loop turn if it is due; nothing to wait for if not. */
  yieldIfDue(): Promise<void> | undefined {
    return this.isDue ? this.#yield() : undefined;
  }

  async #yield(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#since = this.#now();
  }
}
