/** How many claims a Service, given by `namespace/name`, has lost. */
export interface LostCount {
  readonly service: string;
  readonly count: number;
}

/** How many virtual servers each Service wants that another one owns, and for which Services that changed. */
export class LostClaims {
  readonly #counts = new Map<string, number>();
  readonly #changed = new Set<string>();

  /** Records that a Service lost a claim. */
  add(service: string): void {
    this.#counts.set(service, (this.#counts.get(service) ?? 0) + 1);
    this.#changed.add(service);
  }

  /** Records that a lost claim was won or removed. */
  delete(service: string): void {
    const count = (this.#counts.get(service) ?? 0) - 1;
    if (count > 0) this.#counts.set(service, count);
    else this.#counts.delete(service);
    this.#changed.add(service);
  }

  /** The counts that changed since the last call; 0 for a Service without lost claims. */
  take(): readonly LostCount[] {
    const changed = [...this.#changed].map((service) => ({
      service,
      count: this.#counts.get(service) ?? 0,
    }));
    this.#changed.clear();
    return changed;
  }
}
