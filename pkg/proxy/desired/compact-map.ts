/** Up to so many entries are looked through one by one; a hash table takes half a kilobyte before it holds ten. */
const few = 16;

/** A map in insertion order that takes little memory as long as it has few entries, as most of ours have. */
export class CompactMap<K, V> {
  /** Keys and values by turns, or a hash table once there are many. */
  #entries: readonly (K | V)[] | Map<K, V> = nothing;

  get size(): number {
    return this.#entries instanceof Map ? this.#entries.size : this.#entries.length / 2;
  }

  get(key: K): V | undefined {
    const entries = this.#entries;
    if (entries instanceof Map) return entries.get(key);
    for (let at = 0; at < entries.length; at += 2)
      if (entries[at] === key) return entries[at + 1] as V; // a value stands behind its key
    return undefined;
  }

  set(key: K, value: V): void {
    const entries = this.#entries;
    if (entries instanceof Map) entries.set(key, value);
    else if (entries.length >= few * 2 && this.get(key) === undefined)
      this.#entries = new Map(this).set(key, value);
    else this.#put(entries, { key, value });
  }

  /** Takes an entry away; false if there is none. */
  delete(key: K): boolean {
    const entries = this.#entries;
    if (entries instanceof Map) return entries.delete(key);
    for (let at = 0; at < entries.length; at += 2) {
      if (entries[at] !== key) continue;
      this.#entries =
        entries.length === 2 ? nothing : [...entries.slice(0, at), ...entries.slice(at + 2)];
      return true;
    }
    return false;
  }

  /** Visits each entry. Costs less than an iterator, which makes three objects for each. */
  forEach(visit: (value: V, key: K) => void): void {
    const entries = this.#entries;
    if (entries instanceof Map) {
      entries.forEach(visit);
      return;
    }
    for (let at = 0; at < entries.length; at += 2) visit(entries[at + 1] as V, entries[at] as K); // keys and values by turns
  }

  *keys(): Generator<K> {
    for (const [key] of this) yield key;
  }

  *values(): Generator<V> {
    for (const [, value] of this) yield value;
  }

  *[Symbol.iterator](): Generator<[K, V]> {
    const entries = this.#entries;
    if (entries instanceof Map) {
      yield* entries;
      return;
    }
    for (let at = 0; at < entries.length; at += 2) yield [entries[at] as K, entries[at + 1] as V]; // keys and values by turns
  }

  /** The array is made anew, as one that grows would keep room for a dozen more. */
  #put(entries: readonly (K | V)[], { key, value }: { key: K; value: V }): void {
    for (let at = 0; at < entries.length; at += 2) {
      if (entries[at] !== key) continue;
      this.#entries = entries.with(at + 1, value);
      return;
    }
    this.#entries = entries.concat([key, value]);
  }
}

const nothing: readonly never[] = Object.freeze([]);
