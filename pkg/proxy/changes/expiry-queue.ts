/** How many places at the front may be empty before the rest moves up. */
const slack = 1_024;

const none: readonly never[] = Object.freeze([]);

/** Things that wait for a time, each no shorter than the one before it. */
export class ExpiryQueue<T> {
  #waiting: { readonly item: T; readonly due: number }[] = [];
  #first = 0;

  /** When the first one is due, or `undefined` if none waits. */
  get next(): number | undefined {
    return this.#waiting[this.#first]?.due;
  }

  add(item: T, due: number): void {
    this.#waiting.push({ item, due });
  }

  /** Takes out those that are due. */
  take(now: number): readonly T[] {
    if ((this.next ?? Number.POSITIVE_INFINITY) > now) return none;
    const due: T[] = [];
    for (;;) {
      const first = this.#waiting[this.#first];
      if (first === undefined || first.due > now) break;
      this.#first++;
      due.push(first.item);
    }
    this.#compact();
    return due;
  }

  #compact(): void {
    if (this.#first < slack && this.#first < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }
}
