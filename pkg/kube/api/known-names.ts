import type { ObjectName } from '../types.ts';

/** A set of object names that costs no text of its own: the names are those of the objects themselves. */
export class KnownNames {
  readonly #namesByNamespace = new Map<string, Set<string>>();
  #size = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  add({ namespace, name }: ObjectName): void {
    let names = this.#namesByNamespace.get(namespace);
    if (names === undefined) this.#namesByNamespace.set(namespace, (names = new Set()));
    if (names.has(name)) return;
    names.add(name);
    this.#size++;
  }

  /** Whether it was there. */
  delete({ namespace, name }: ObjectName): boolean {
    const names = this.#namesByNamespace.get(namespace);
    if (names?.delete(name) !== true) return false;
    if (names.size === 0) this.#namesByNamespace.delete(namespace);
    this.#size--;
    return true;
  }

  clear(): void {
    this.#namesByNamespace.clear();
    this.#size = 0;
  }

  has({ namespace, name }: ObjectName): boolean {
    return this.#namesByNamespace.get(namespace)?.has(name) === true;
  }

  /** The names that neither of two others has: looked at by namespace, as there may be tens of thousands. */
  without(one: KnownNames, other: KnownNames): ObjectName[] {
    const found: ObjectName[] = [];
    for (const [namespace, names] of this.#namesByNamespace) {
      const [ofOne, ofOther] = [one, other].map((some) => some.#namesByNamespace.get(namespace));
      for (const name of names)
        if (ofOne?.has(name) !== true && ofOther?.has(name) !== true)
          found.push({ namespace, name });
    }
    return found;
  }

  *[Symbol.iterator](): IterableIterator<ObjectName> {
    for (const [namespace, names] of this.#namesByNamespace)
      for (const name of names) yield { namespace, name };
  }
}
