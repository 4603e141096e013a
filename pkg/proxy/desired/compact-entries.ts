/** Up to so many entries are searched one by one. A hash table takes half a kilobyte before it has ten entries. */
const few = 16;

/** The entries of a small map in insertion order: an array of keys and values in turns, or a hash table if there are many. */
export type CompactEntries<K, V> = readonly (K | V)[] | Map<K, V>;

/** The entries of an empty map. */
export const noEntries: readonly never[] = Object.freeze([]);

/** The number of entries. */
export function entryCount<K, V>(entries: CompactEntries<K, V>): number {
  return entries instanceof Map ? entries.size : entries.length / 2;
}

/** The value of a key, or `undefined` if there is none. */
export function entryValue<K, V>(entries: CompactEntries<K, V>, key: K): V | undefined {
  if (entries instanceof Map) return entries.get(key);
  for (let at = 0; at < entries.length; at += 2)
    if (entries[at] === key) return entries[at + 1] as V; // a value stands behind its key
  return undefined;
}

/** The entries with one added or replaced. The given entries must not be used any more. */
export function withEntry<K, V>(
  entries: CompactEntries<K, V>,
  { key, value }: { readonly key: K; readonly value: V },
): CompactEntries<K, V> {
  if (entries instanceof Map) return entries.set(key, value);
  for (let at = 0; at < entries.length; at += 2)
    if (entries[at] === key) return entries.with(at + 1, value);
  if (entries.length >= few * 2) return tableOf<K, V>(entries).set(key, value);
  // Copied, as an array that grows keeps room for a dozen more.
  return entries.concat([key, value]);
}

/** The entries of some objects with different addresses, by these. */
export function entriesByAddress<Address, From extends { readonly address: Address }, V>(
  all: readonly From[],
  valueOf: (from: From) => V,
): CompactEntries<Address, V> {
  if (all.length > few) {
    const table = new Map<Address, V>();
    for (const one of all) table.set(one.address, valueOf(one));
    return table;
  }
  const entries: (Address | V)[] = [];
  entries.length = all.length * 2; // no more room than that
  for (let at = 0; at < all.length; at++) {
    const one = all[at] as From; // within the list
    entries[at * 2] = one.address;
    entries[at * 2 + 1] = valueOf(one);
  }
  return entries;
}

/** The entries without one. The given entries must not be used any more. */
export function withoutEntry<K, V>(entries: CompactEntries<K, V>, key: K): CompactEntries<K, V> {
  if (entries instanceof Map) {
    entries.delete(key);
    return entries;
  }
  for (let at = 0; at < entries.length; at += 2) {
    if (entries[at] !== key) continue;
    return entries.length === 2 ? noEntries : entries.toSpliced(at, 2);
  }
  return entries;
}

/** Visits each entry. Cheaper than an iterator, which creates three objects for each. */
export function forEachEntry<K, V>(
  entries: CompactEntries<K, V>,
  visit: (value: V, key: K) => void,
): void {
  if (entries instanceof Map) {
    entries.forEach(visit);
    return;
  }
  for (let at = 0; at < entries.length; at += 2) visit(entries[at + 1] as V, entries[at] as K); // keys and values by turns
}

/** Each value with its key. */
export function* iterateEntries<K, V>(entries: CompactEntries<K, V>): Generator<[K, V]> {
  if (entries instanceof Map) {
    yield* entries;
    return;
  }
  for (let at = 0; at < entries.length; at += 2) yield [entries[at] as K, entries[at + 1] as V]; // keys and values by turns
}

/** All values. */
export function entryValues<K, V>(entries: CompactEntries<K, V>): Iterable<V> {
  if (entries instanceof Map) return entries.values();
  const values: V[] = [];
  forEachEntry<K, V>(entries, (value) => values.push(value));
  return values;
}

function tableOf<K, V>(entries: readonly (K | V)[]): Map<K, V> {
  const table = new Map<K, V>();
  forEachEntry<K, V>(entries, (value, key) => table.set(key, value));
  return table;
}
