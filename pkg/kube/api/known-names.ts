import type { ObjectName } from '../types.ts';

/** After so many names a walk pauses, whether they are gone or not: a fraction of a millisecond. */
const walkedAtOnce = 5000;

/**
 * The names of all objects that were told and not told as deleted, and of which of them a complete read has shown nothing. A name
 * is held with the number of the read in which it was seen last, so that the end of a read costs the same however many names there
 * are: what was seen before it was omitted. The texts are those of the objects themselves.
 */
export class KnownNames {
  readonly #readByNamespace = new Map<string, Map<string, number>>();
  /** The number of the read under way, or of the last one. */
  #read = 1;
  /** What was seen last in a read before this one is gone. */
  #goneBefore = 1;
  /** What was seen last in a read before this one, and is not gone, is unconfirmed. */
  #unconfirmedBefore = 1;
  #size = 0;
  #gone = 0;
  #unconfirmed = 0;
  /** How many the read under way has not shown yet, those that are gone not counted. */
  #unseen = 0;
  #walk: Iterator<ObjectName | undefined> | undefined;

  /** How many there are, those that are gone and not deleted yet included. */
  get size(): number {
    return this.#size;
  }

  /** How many wait for a second read. */
  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  /** How many are gone and not deleted yet. */
  get gone(): number {
    return this.#gone;
  }

  /** How many the read under way would omit if it ended now, and how many of them no read has omitted before. */
  get omitted(): { readonly count: number; readonly newly: number } {
    return { count: this.#unseen, newly: this.#unseen - this.#unconfirmed };
  }

  /** A complete read begins: nothing is seen yet. */
  startRead(): void {
    this.#read++;
    this.#unseen = this.#size - this.#gone;
  }

  /** The complete read ended: what it has not shown is gone, or unconfirmed. */
  endRead(omitted: 'gone' | 'unconfirmed'): void {
    this.#unconfirmedBefore = this.#read;
    this.#unconfirmed = this.#unseen;
    if (omitted === 'gone') this.confirm();
    this.#unseen = 0;
  }

  /** What is unconfirmed is gone. */
  confirm(): void {
    this.#goneBefore = this.#unconfirmedBefore;
    this.#gone += this.#unconfirmed;
    this.#unseen = Math.max(0, this.#unseen - this.#unconfirmed);
    this.#unconfirmed = 0;
  }

  /** The object was seen. */
  add({ namespace, name }: ObjectName): void {
    let reads = this.#readByNamespace.get(namespace);
    if (reads === undefined) this.#readByNamespace.set(namespace, (reads = new Map()));
    const before = reads.get(name);
    if (before === this.#read) return;
    if (before === undefined) this.#size++;
    else this.#uncount(before);
    reads.set(name, this.#read);
  }

  /** The object is gone, whatever reads show of it. Nothing if it is not known. */
  markGone({ namespace, name }: ObjectName): void {
    const reads = this.#readByNamespace.get(namespace);
    const before = reads?.get(name);
    if (reads === undefined || before === undefined || before < this.#goneBefore) return;
    this.#uncount(before);
    reads.set(name, 0);
    this.#gone++;
  }

  /** Forgets a name. Whether it was known. */
  delete({ namespace, name }: ObjectName): boolean {
    const reads = this.#readByNamespace.get(namespace);
    const before = reads?.get(name);
    if (reads === undefined || before === undefined) return false;
    this.#uncount(before);
    reads.delete(name);
    if (reads.size === 0) this.#readByNamespace.delete(namespace);
    this.#size--;
    return true;
  }

  /** Whether the object was told, and not yet told as deleted. */
  has(name: ObjectName): boolean {
    return this.#readOf(name) !== undefined;
  }

  /** Whether the object waits for a second read. */
  isUnconfirmed(name: ObjectName): boolean {
    const read = this.#readOf(name) ?? 0;
    return read >= this.#goneBefore && read < this.#unconfirmedBefore;
  }

  /** Whether the read under way would omit the object if it ended now. */
  isOmitted(name: ObjectName): boolean {
    const read = this.#readOf(name) ?? 0;
    return read >= this.#goneBefore && read < this.#read;
  }

  /** Some of those that are gone, no more than a number of them, from where the last call stopped. They stay until they are deleted. */
  *someGone(count: number): Generator<ObjectName> {
    let left = count;
    // Once around at most: a name that stays is not given twice.
    let steps = Math.min(walkedAtOnce, this.#size);
    while (steps-- > 0 && left > 0 && this.#gone > 0) {
      const name = this.#next();
      if (name === undefined) continue;
      left--;
      yield name;
    }
  }

  /** The next name of the walk, which begins anew at its end: itself if it is gone, else `undefined`. */
  #next(): ObjectName | undefined {
    const next = this.#walk?.next();
    if (next !== undefined && next.done !== true) return next.value;
    this.#walk = this.#all();
    const first = this.#walk.next();
    return first.done === true ? undefined : first.value;
  }

  /** Every name once: itself if it is gone, else `undefined`. */
  *#all(): Generator<ObjectName | undefined> {
    for (const [namespace, reads] of this.#readByNamespace)
      for (const [name, read] of reads)
        yield read < this.#goneBefore ? { namespace, name } : undefined;
  }

  #readOf({ namespace, name }: ObjectName): number | undefined {
    return this.#readByNamespace.get(namespace)?.get(name);
  }

  /** A name that was seen last in a read is no longer counted as what it was. */
  #uncount(read: number): void {
    if (read < this.#goneBefore) {
      this.#gone--;
      return;
    }
    if (read < this.#unconfirmedBefore) this.#unconfirmed--;
    if (read < this.#read && this.#unseen > 0) this.#unseen--;
  }
}
