import type { ObjectName } from '../types.ts';

/** A set of object names without texts of its own: it uses those of the objects. */
export class NameSet {
  readonly #namesByNamespace = new Map<string, Set<string>>();

  add({ namespace, name }: ObjectName): void {
    let names = this.#namesByNamespace.get(namespace);
    if (names === undefined) this.#namesByNamespace.set(namespace, (names = new Set()));
    names.add(name);
  }

  delete({ namespace, name }: ObjectName): void {
    this.#namesByNamespace.get(namespace)?.delete(name);
  }

  has({ namespace, name }: ObjectName): boolean {
    return this.#namesByNamespace.get(namespace)?.has(name) === true;
  }

  *[Symbol.iterator](): IterableIterator<ObjectName> {
    for (const [namespace, names] of this.#namesByNamespace)
      for (const name of names) yield { namespace, name };
  }
}
