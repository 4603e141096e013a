/** How many Services have series of their own in one metric. */
const limit = 100;

/** The Services, by `namespace/name`, that one metric shows: the first 100 that are to be shown. */
export class ShownServices {
  readonly #shown = new Set<string>();

  /** Shows a Service if there is room. */
  add(service: string): void {
    if (this.#shown.size < limit) this.#shown.add(service);
  }

  /** Frees the place of a Service. Whether it was shown. */
  delete(service: string): boolean {
    return this.#shown.delete(service);
  }

  has(service: string): boolean {
    return this.#shown.has(service);
  }
}
