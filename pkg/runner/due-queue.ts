/** An item and its due time, in milliseconds. */
interface Waiting<T> {
  readonly item: T;
  readonly due: number;
}

/** How many outdated elements the heap may have more than valid ones. */
const slack = 64;

/** Items with one due time each, which may change. The cost of an operation grows with the logarithm of their number. */
export class DueQueue<T> {
  readonly #due = new Map<T, number>();
  /** A binary heap by due time. An element is valid if {@link #due} has the same time for its item, else outdated. */
  #heap: Waiting<T>[] = [];

  /** The earliest due time; infinite if there is no item. */
  get next(): number {
    return this.#first?.due ?? Number.POSITIVE_INFINITY;
  }

  /** Sets the due time of an item, in place of an earlier one. Infinite removes it. */
  set(item: T, due: number): void {
    if (due === Number.POSITIVE_INFINITY) {
      this.delete(item);
      return;
    }
    if (this.#due.get(item) === due) return;
    this.#due.set(item, due);
    this.#push({ item, due });
    if (this.#heap.length > 2 * this.#due.size + slack) this.#rebuild();
  }

  /** Removes an item. */
  delete(item: T): void {
    this.#due.delete(item);
  }

  /** Removes and returns the item that is longest overdue; `undefined` if none is due. */
  take(now: number): T | undefined {
    const first = this.#first;
    if (first === undefined || first.due > now) return undefined;
    this.#pop();
    this.#due.delete(first.item);
    return first.item;
  }

  /** Removes and returns all items that are due, in the order of their due times. */
  takeAll(now: number): readonly T[] {
    const taken: T[] = [];
    for (let item = this.take(now); item !== undefined; item = this.take(now)) taken.push(item);
    return taken;
  }

  /** The first valid element. Removes outdated ones before it. */
  get #first(): Waiting<T> | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || this.#due.get(first.item) === first.due) return first;
      this.#pop();
    }
  }

  #push(waiting: Waiting<T>): void {
    const heap = this.#heap;
    let at = heap.push(waiting) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || parent.due <= waiting.due) break;
      heap[at] = parent;
      heap[above] = waiting;
      at = above;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const isRight = dueAt(heap, left + 1) < dueAt(heap, left);
      const below = isRight ? left + 1 : left;
      const child = heap[below];
      if (child === undefined || child.due >= last.due) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }

  #rebuild(): void {
    this.#heap = [];
    for (const [item, due] of this.#due) this.#push({ item, due });
  }
}

function dueAt<T>(heap: readonly Waiting<T>[], at: number): number {
  return heap[at]?.due ?? Number.POSITIVE_INFINITY;
}
