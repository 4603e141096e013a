import type { Ledger } from '../desired/ledger.ts';
import { PortFootprint } from '../desired/port-footprint.ts';

/** The sizes of up to so many ports are added up at each call. */
const few = 16;

/** How many real servers the front ends of each Service may have together. */
export class ServiceSizes {
  readonly #ledger: Pick<Ledger, 'footprints'>;
  /** The sizes of Services with many ports. */
  readonly #ofMany = new Map<string, number>();
  /** Services that are not entered entirely: their sizes are unknown. */
  readonly #unfinished = new Set<string>();

  constructor(ledger: Pick<Ledger, 'footprints'>) {
    this.#ledger = ledger;
  }

  /** The size of a Service, given by its key; `undefined` if it is not entered entirely. */
  get(service: string): number | undefined {
    if (this.#unfinished.has(service)) return undefined;
    return this.#ofMany.get(service) ?? this.#addedUp(service);
  }

  /** Records that a Service is entered anew: its size is unknown until {@link finish}. */
  begin(service: string): void {
    this.#unfinished.add(service);
    this.#ofMany.delete(service);
  }

  /** Records that all ports of a Service are entered, and their size together. */
  finish(service: string, { ports, size }: { ports: number; size: number }): void {
    this.#unfinished.delete(service);
    if (ports > few) this.#ofMany.set(service, size);
  }

  /** Records the size of a Service that is entered entirely and changed. */
  change(service: string, size: number): void {
    if (this.#ofMany.has(service)) this.#ofMany.set(service, size);
  }

  #addedUp(service: string): number {
    let size = 0;
    for (const footprint of this.#ledger.footprints(service))
      if (footprint instanceof PortFootprint) size += footprint.size;
    return size;
  }
}
