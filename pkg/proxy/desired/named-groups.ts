import { CompactMap } from './compact-map.ts';

/** Named objects in groups. A group with one object, the usual case, is stored as the object itself. */
export class NamedGroups<T extends { readonly name: string }> {
  readonly #groups = new Map<string, T | CompactMap<string, T>>();

  /** The object with a name in a group; `undefined` if there is none. */
  get(group: string, name: string): T | undefined {
    const some = this.#groups.get(group);
    if (some instanceof CompactMap) return some.get(name);
    return some?.name === name ? some : undefined;
  }

  /** All objects of a group, in order of insertion. */
  of(group: string): readonly T[] {
    const some = this.#groups.get(group);
    if (some instanceof CompactMap) return [...some.values()];
    return some === undefined ? [] : [some];
  }

  /** Adds an object to a group, or replaces the one with its name. */
  set(group: string, item: T): void {
    const some = this.#groups.get(group);
    if (some instanceof CompactMap) some.set(item.name, item);
    else if (some === undefined || some.name === item.name) this.#groups.set(group, item);
    else {
      const several = new CompactMap<string, T>();
      several.set(some.name, some);
      several.set(item.name, item);
      this.#groups.set(group, several);
    }
  }

  /** Removes the object with a name from a group. */
  delete(group: string, name: string): void {
    const some = this.#groups.get(group);
    if (some instanceof CompactMap) some.delete(name);
    const isEmpty = some instanceof CompactMap ? some.size === 0 : some?.name === name;
    if (isEmpty) this.#groups.delete(group);
  }
}
