import type { ObjectName } from '../types.ts';

/** How many names one call looks at: a fraction of a millisecond. */
const walkedAtOnce = 5000;

/**
 * The names of all reported objects, and which of them the last complete read omitted. Each name has the number of the last read
 * that contained it: lower numbers were omitted. So the end of a read costs the same with any number of names. The texts are those
 * of the objects themselves.
 */
export class KnownNames {
  readonly #readByNamespace = new Map<string, Map<string, number>>();
  /** The number of the present read, or of the last one. */
  #read = 1;
  /** Names with a lower number are gone. */
  #goneBefore = 1;
  /** Names with a lower number that are not gone are unconfirmed. */
  #unconfirmedBefore = 1;
  #size = 0;
  #gone = 0;
  #unconfirmed = 0;
  /** How many names that are not gone the present read has not contained yet. */
  #unseen = 0;
  #walk: Iterator<ObjectName | undefined> | undefined;

  /** How many names there are, including those that are gone and not deleted yet. */
  get size(): number {
    return this.#size;
  }

  /** How many names wait for a second read. */
  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  /** How many names are gone and not deleted yet. */
  get gone(): number {
    return this.#gone;
  }

  /** How many names the present read would omit if it ended now, and how many of them no read has omitted before. */
  get omitted(): { readonly count: number; readonly newly: number } {
    return { count: this.#unseen, newly: this.#unseen - this.#unconfirmed };
  }

  /** Begins a complete read. */
  startRead(): void {
    this.#read++;
    this.#unseen = this.#size - this.#gone;
  }

  /** Ends the complete read. What it omitted is gone or unconfirmed. */
  endRead(omitted: 'gone' | 'unconfirmed'): void {
    this.#unconfirmedBefore = this.#read;
    this.#unconfirmed = this.#unseen;
    if (omitted === 'gone') this.confirm();
    this.#unseen = 0;
  }

  /** Marks all unconfirmed names as gone. */
  confirm(): void {
    this.#goneBefore = this.#unconfirmedBefore;
    this.#gone += this.#unconfirmed;
    this.#unseen = Math.max(0, this.#unseen - this.#unconfirmed);
    this.#unconfirmed = 0;
  }

  /** Records that the present read or an event contained an object. */
  add({ namespace, name }: ObjectName): void {
    let reads = this.#readByNamespace.get(namespace);
    if (reads === undefined) this.#readByNamespace.set(namespace, (reads = new Map()));
    const before = reads.get(name);
    if (before === this.#read) return;
    if (before === undefined) this.#size++;
    else this.#uncount(before);
    reads.set(name, this.#read);
  }

  /** Marks a known name as gone, whatever reads contained it. */
  markGone({ namespace, name }: ObjectName): void {
    const reads = this.#readByNamespace.get(namespace);
    const before = reads?.get(name);
    if (reads === undefined || before === undefined || before < this.#goneBefore) return;
    this.#uncount(before);
    reads.set(name, 0);
    this.#gone++;
  }

  /** Removes a name. Whether it was known. */
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

  /** Whether the object was reported, and not reported as deleted. */
  has(name: ObjectName): boolean {
    return this.#readOf(name) !== undefined;
  }

  /** Whether the object waits for a second read. */
  isUnconfirmed(name: ObjectName): boolean {
    const read = this.#readOf(name) ?? 0;
    return read >= this.#goneBefore && read < this.#unconfirmedBefore;
  }

  /** Whether the present read would omit the object if it ended now. */
  isOmitted(name: ObjectName): boolean {
    const read = this.#readOf(name) ?? 0;
    return read >= this.#goneBefore && read < this.#read;
  }

  /** Some of the names that are gone, at most `count`, beginning where the last call stopped. The caller deletes them. */
  *someGone(count: number): Generator<ObjectName> {
    let left = count;
    // At most once around, so that no name comes twice.
    let steps = Math.min(walkedAtOnce, this.#size);
    while (steps-- > 0 && left > 0 && this.#gone > 0) {
      const name = this.#next();
      if (name === undefined) continue;
      left--;
      yield name;
    }
  }

  /** The next name in a circle if it is gone, else `undefined`. */
  #next(): ObjectName | undefined {
    const next = this.#walk?.next();
    if (next !== undefined && next.done !== true) return next.value;
    this.#walk = this.#all();
    const first = this.#walk.next();
    return first.done === true ? undefined : first.value;
  }

  /** Each name if it is gone, else `undefined`. */
  *#all(): Generator<ObjectName | undefined> {
    for (const [namespace, reads] of this.#readByNamespace)
      for (const [name, read] of reads)
        yield read < this.#goneBefore ? { namespace, name } : undefined;
  }

  #readOf({ namespace, name }: ObjectName): number | undefined {
    return this.#readByNamespace.get(namespace)?.get(name);
  }

  /** Takes a name with this number out of the counts. */
  #uncount(read: number): void {
    if (read < this.#goneBefore) {
      this.#gone--;
      return;
    }
    if (read < this.#unconfirmedBefore) this.#unconfirmed--;
    if (read < this.#read && this.#unseen > 0) this.#unseen--;
  }
}
