/** How many claims a Service, given by `namespace/name`, has lost. */
export interface LostCount {
  readonly service: string;
  readonly count: number;
}

/** How many virtual servers each Service wants that another one has, and of which Services that changed. */
export class LostClaims {
  readonly #counts = new Map<string, number>();
  readonly #changed = new Set<string>();

  /** A claim of a Service is lost from now on. */
  add(service: string): void {
    this.#counts.set(service, (this.#counts.get(service) ?? 0) + 1);
    this.#changed.add(service);
  }

  /** A lost claim of a Service is won by now, or gone. */
  delete(service: string): void {
    const count = (this.#counts.get(service) ?? 0) - 1;
    if (count > 0) this.#counts.set(service, count);
    else this.#counts.delete(service);
    this.#changed.add(service);
  }

  /** The counts that changed since the last call, 0 for a Service that has lost nothing any more. */
  take(): readonly LostCount[] {
    const changed = [...this.#changed].map((service) => ({
      service,
      count: this.#counts.get(service) ?? 0,
    }));
    this.#changed.clear();
    return changed;
  }
}
