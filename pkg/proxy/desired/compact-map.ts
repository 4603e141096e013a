import {
  type CompactEntries,
  entryCount,
  entryValue,
  entryValues,
  iterateEntries,
  noEntries,
  withEntry,
  withoutEntry,
} from './compact-entries.ts';

/** A map in insertion order that takes little memory with few entries. */
export class CompactMap<K, V> {
  #entries: CompactEntries<K, V> = noEntries;

  get size(): number {
    return entryCount(this.#entries);
  }

  get(key: K): V | undefined {
    return entryValue(this.#entries, key);
  }

  set(key: K, value: V): void {
    this.#entries = withEntry(this.#entries, { key, value });
  }

  /** Removes an entry. False if there is none. */
  delete(key: K): boolean {
    const before = this.size;
    this.#entries = withoutEntry(this.#entries, key);
    return this.size < before;
  }

  *keys(): Generator<K> {
    for (const [key] of iterateEntries(this.#entries)) yield key;
  }

  values(): Iterable<V> {
    return entryValues(this.#entries);
  }
}
