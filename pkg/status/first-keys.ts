/** The first of some texts in their order, each once, after a given one. Takes no more memory than it may have of them. */
export class FirstKeys {
  readonly #limit: number;
  readonly #after: string | undefined;
  readonly #keys: string[] = [];
  #hasMore = false;

  constructor({ limit, after }: { limit: number; after: string | undefined }) {
    this.#limit = limit;
    this.#after = after;
  }

  /** Whether others come after these. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  get keys(): readonly string[] {
    return this.#keys;
  }

  /** Whether a text would be among them, by those that were added. Asking is cheap, whatever is to be found out about it besides. */
  takes(key: string): boolean {
    if (this.#after !== undefined && key <= this.#after) return false;
    const last = this.#keys.length < this.#limit ? undefined : this.#keys.at(-1);
    if (last === undefined || key <= last) return true;
    this.#hasMore = true;
    return false;
  }

  /** Adds a text that it takes. */
  add(key: string): void {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    if (this.#keys[low] === key) return;
    this.#keys.splice(low, 0, key);
    if (this.#keys.length <= this.#limit) return;
    this.#keys.pop();
    this.#hasMore = true;
  }
}
