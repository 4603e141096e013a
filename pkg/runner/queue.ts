/** A queue of items. One consumer can wait for them. */
export class Queue<T> {
  #things: T[] = [];
  #wake: () => void = () => undefined;

  /** How many items are in it. */
  get size(): number {
    return this.#things.length;
  }

  /** Adds an item and wakes the consumer. */
  put(thing: T): void {
    this.#things.push(thing);
    this.#wake();
  }

  /** Removes and returns all items, in order. */
  takeAll(): readonly T[] {
    const things = this.#things;
    this.#things = [];
    return things;
  }

  /** Waits for an item. False once the signal aborts. For one consumer at a time. */
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
