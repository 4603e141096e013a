import type { Entry } from '../../ipset/ipset.ts';

/** The owner of a retired front end. */
export const nobody = '';

/** The Services that want a kernel object, and for how many front ends each. Usually there is one. */
export class Owners {
  #owner = nobody;
  #count = 0;
  /** Present if there are several owners. It contains all of them. */
  #counts: Map<string, number> | undefined;

  get isEmpty(): boolean {
    return this.#count === 0 && this.#counts === undefined;
  }

  *names(): Generator<string> {
    if (this.#counts !== undefined) yield* this.#counts.keys();
    else if (this.#count > 0) yield this.#owner;
  }

  add(owner: string, by: 1 | -1): void {
    if (this.#counts === undefined && this.#count > 0 && owner !== this.#owner)
      this.#counts = new Map([[this.#owner, this.#count]]);
    if (this.#counts === undefined) {
      this.#owner = owner;
      this.#count += by;
      return;
    }
    const count = (this.#counts.get(owner) ?? 0) + by;
    if (count > 0) this.#counts.set(owner, count);
    else this.#counts.delete(owner);
    if (this.#counts.size > 1) return;
    [[this.#owner, this.#count] = [nobody, 0]] = this.#counts;
    this.#counts = undefined;
  }
}

/** The Services that want an entry of a set. */
export class EntryOwners extends Owners {
  readonly entry: Entry;
  /** For how many of their front ends its address is bound. */
  bindings = 0;

  constructor(entry: Entry) {
    super();
    this.entry = entry;
  }
}
