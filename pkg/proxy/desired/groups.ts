/** A map of the objects of one group. */
interface Members<Key, Item> {
  readonly size: number;
  get(key: Key): Item | undefined;
  set(key: Key, item: Item): void;
  delete(key: Key): void;
  values(): Iterable<Item>;
}

export interface GroupsOptions<Key, Item> {
  /** Keeps the objects of a group that has several. */
  readonly several: new () => Members<Key, Item>;
  readonly isKeyOf: (key: Key, item: Item) => boolean;
  readonly keyOf: (item: Item) => Key;
}

/** Objects in groups, each by a key within its group. A group with one object, the usual case, is stored as the object itself. */
export class Groups<Key, Item extends object> {
  readonly #options: GroupsOptions<Key, Item>;
  readonly #groups = new Map<string, Item | Members<Key, Item>>();

  constructor(options: GroupsOptions<Key, Item>) {
    this.#options = options;
  }

  /** The object with a key in a group; `undefined` if there is none. */
  get(group: string, key: Key): Item | undefined {
    const some = this.#groups.get(group);
    if (some === undefined) return undefined;
    if (this.#areSeveral(some)) return some.get(key);
    return this.#options.isKeyOf(key, some) ? some : undefined;
  }

  /** All objects of a group. */
  of(group: string): readonly Item[] {
    const some = this.#groups.get(group);
    if (some === undefined) return [];
    return this.#areSeveral(some) ? [...some.values()] : [some];
  }

  /** Adds an object to a group, or replaces the one with its key. */
  set(group: string, item: Item): void {
    const { keyOf, isKeyOf, several } = this.#options;
    const some = this.#groups.get(group);
    const key = keyOf(item);
    if (some === undefined) this.#groups.set(group, item);
    else if (this.#areSeveral(some)) some.set(key, item);
    else if (isKeyOf(key, some)) this.#groups.set(group, item);
    else {
      const both = new several();
      both.set(keyOf(some), some);
      both.set(key, item);
      this.#groups.set(group, both);
    }
  }

  /** Removes the object with a key from a group. */
  delete(group: string, key: Key): void {
    const some = this.#groups.get(group);
    if (some === undefined) return;
    if (this.#areSeveral(some)) {
      some.delete(key);
      if (some.size === 0) this.#groups.delete(group);
    } else if (this.#options.isKeyOf(key, some)) this.#groups.delete(group);
  }

  #areSeveral(some: Item | Members<Key, Item>): some is Members<Key, Item> {
    return some instanceof this.#options.several;
  }
}
