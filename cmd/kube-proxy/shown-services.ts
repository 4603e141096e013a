/** How many Services have series of their own in one metric. */
const limit = 100;

/** The Services, by `namespace/name`, that have a series in one metric: the first 100. */
export class ShownServices {
  readonly #shown = new Set<string>();

  /** Adds a Service if there is room. */
  add(service: string): void {
    if (this.#shown.size < limit) this.#shown.add(service);
  }

  /** Removes a Service. Whether it was shown. */
  delete(service: string): boolean {
    return this.#shown.delete(service);
  }

  has(service: string): boolean {
    return this.#shown.has(service);
  }
}
