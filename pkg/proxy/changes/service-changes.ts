import type { EndpointSlice } from '../../kube/types.ts';
import type { BeforeAfter } from '../desired/footprint.ts';

/** A slice as it was entered last, and as it is now. */
export type SliceChange = BeforeAfter<EndpointSlice | undefined>;

/** What changed of a Service since it was entered last. */
export interface ServiceChanges {
  /** The Service itself, or something else that all of it depends on. */
  readonly isWhole: boolean;
  readonly slices: readonly SliceChange[];
  /** Slices made of endpoints that vanished since then, and of some that counted as vanished and no longer do. */
  readonly vanished: readonly EndpointSlice[];
  readonly unvanished: readonly EndpointSlice[];
}

/** Gathers what changes of one Service. */
export class ChangeCollector {
  #isWhole = false;
  /** Slices that changed, by name, as they were entered last. */
  #slices: Map<string, EndpointSlice | undefined> | undefined;
  #vanished: Set<EndpointSlice> | undefined;
  #unvanished: Set<EndpointSlice> | undefined;

  /** All of it may be another one: nothing else has to be told apart. */
  allChanged(): void {
    this.#isWhole = true;
    this.#slices = undefined;
    this.#vanished = undefined;
    this.#unvanished = undefined;
  }

  /** A slice is another one than before. */
  sliceChanged(name: string, before: EndpointSlice | undefined): void {
    if (this.#isWhole || this.#slices?.has(name) === true) return;
    this.#slices = (this.#slices ?? new Map()).set(name, before);
  }

  vanished(slice: EndpointSlice): void {
    if (!this.#isWhole) this.#vanished = (this.#vanished ?? new Set()).add(slice);
  }

  unvanished(slice: EndpointSlice): void {
    if (this.#isWhole || this.#vanished?.delete(slice) === true) return;
    this.#unvanished = (this.#unvanished ?? new Set()).add(slice);
  }

  /** Everything gathered, given the slices as they are now. */
  changes(now: Pick<ReadonlyMap<string, EndpointSlice>, 'get'> | undefined): ServiceChanges {
    return {
      isWhole: this.#isWhole,
      slices: [...(this.#slices ?? [])].map(([name, before]) => ({
        before,
        after: now?.get(name),
      })),
      vanished: [...(this.#vanished ?? [])],
      unvanished: [...(this.#unvanished ?? [])],
    };
  }
}
