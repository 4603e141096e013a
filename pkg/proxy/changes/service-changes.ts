import type { EndpointSlice } from '../../kube/types.ts';
import type { BeforeAfter } from '../desired/footprint.ts';

/** A slice as it was entered last, and as it is now. */
export type SliceChange = BeforeAfter<EndpointSlice | undefined>;

/** What changed of a Service since it was entered last. */
export interface ServiceChanges {
  /** The Service itself changed, or something else that all of it depends on. */
  readonly isWhole: boolean;
  readonly slices: readonly SliceChange[];
  /** Slices made of endpoints that have vanished since then, and of endpoints whose time as vanished ones is over. */
  readonly vanished: readonly EndpointSlice[];
  readonly unvanished: readonly EndpointSlice[];
}

/** Collects the changes of one Service. */
export class ChangeCollector {
  #isWhole = false;
  /** Slices that changed, by name, as they were entered last. */
  #slices: Map<string, EndpointSlice | undefined> | undefined;
  #vanished: Set<EndpointSlice> | undefined;
  #unvanished: Set<EndpointSlice> | undefined;

  /** Records that all of it may have changed. Single changes are not recorded any more. */
  allChanged(): void {
    this.#isWhole = true;
    this.#slices = undefined;
    this.#vanished = undefined;
    this.#unvanished = undefined;
  }

  /** Records the state of a slice before its first change. */
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

  /** The collected changes. `now` returns the present state of a slice by its name. */
  changes(now: (name: string) => EndpointSlice | undefined): ServiceChanges {
    if (this.#isWhole) return wholeService;
    const slices: SliceChange[] = [];
    this.#slices?.forEach((before, name) => slices.push({ before, after: now(name) }));
    return {
      isWhole: false,
      slices,
      vanished: this.#vanished === undefined ? [] : [...this.#vanished],
      unvanished: this.#unvanished === undefined ? [] : [...this.#unvanished],
    };
  }
}

/** The changes of a Service of which nothing changed, and of one that is to be entered as a whole. */
export const noChanges: ServiceChanges = {
  isWhole: false,
  slices: [],
  vanished: [],
  unvanished: [],
};
const wholeService: ServiceChanges = { ...noChanges, isWhole: true };
