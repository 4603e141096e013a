import type { Owner } from './claims.ts';
import { CompactMap } from './compact-map.ts';
import type { Footprint } from './footprint.ts';

/** What one part of a Service, mostly one of its ports, wants. */
export interface Part {
  readonly owner: Owner;
  readonly footprint: Footprint;
}

/** The parts of all Services. */
export class ServiceParts {
  readonly #parts = new Map<string, CompactMap<string, Part>>();

  get(service: string, name: string): Part | undefined {
    return this.#parts.get(service)?.get(name);
  }

  set(name: string, part: Part): void {
    const parts = this.#parts.get(part.owner.key) ?? new CompactMap<string, Part>();
    this.#parts.set(part.owner.key, parts);
    parts.set(name, part);
  }

  delete(service: string, name: string): void {
    const parts = this.#parts.get(service);
    parts?.delete(name);
    if (parts?.size === 0) this.#parts.delete(service);
  }

  /** The names of a Service's parts. */
  names(service: string): Iterable<string> {
    return this.#parts.get(service)?.keys() ?? [];
  }
}
