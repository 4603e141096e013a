/** Things that wait to be done; whoever does them sleeps until there are some. */
export class Queue<T> {
  #things: T[] = [];
  #wake: () => void = () => undefined;

  /** How many wait. */
  get size(): number {
    return this.#things.length;
  }

  /** Adds one, and wakes whoever waits for it. */
  put(thing: T): void {
    this.#things.push(thing);
    this.#wake();
  }

  /** Takes all out, in the order in which they came. */
  takeAll(): readonly T[] {
    const things = this.#things;
    this.#things = [];
    return things;
  }

  /** Waits until there is something; false once the signal aborts. For one waiter at a time. */
  async hasSome(signal: AbortSignal): Promise<boolean> {
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake);
    while (!signal.aborted && this.#things.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    signal.removeEventListener('abort', wake);
    return !signal.aborted;
  }
}
