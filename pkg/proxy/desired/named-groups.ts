import { CompactMap } from './compact-map.ts';

/** Things with names, in groups; mostly a group has one, which then stands for the group. */
export class NamedGroups<T extends { readonly name: string }> {
  readonly #groups = new Map<string, T | CompactMap<string, T>>();

  /** What has a name in a group; `undefined` if there is nothing. */
  get(group: string, name: string): T | undefined {
    const some = this.#groups.get(group);
    if (some instanceof CompactMap) return some.get(name);
    return some?.name === name ? some : undefined;
  }

  /** All things of a group, in the order in which they came. */
  of(group: string): readonly T[] {
    const some = this.#groups.get(group);
    if (some instanceof CompactMap) return [...some.values()];
    return some === undefined ? [] : [some];
  }

  /** Puts a thing into a group, in the place of the one that has its name. */
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

  /** Takes what has a name out of a group. */
  delete(group: string, name: string): void {
    const some = this.#groups.get(group);
    if (some instanceof CompactMap) some.delete(name);
    const isEmpty = some instanceof CompactMap ? some.size === 0 : some?.name === name;
    if (isEmpty) this.#groups.delete(group);
  }
}
