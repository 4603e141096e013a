import { type ErrnoCode, type Failure, KernelError } from '../errno/errno.ts';
import { addressBits, type Family, familyOf, unspecified } from '../ip/address.ts';
import { prefix, prefixFamily } from '../ip/prefix.ts';
import {
  type Entry,
  type EntryWrite,
  entryKey,
  type IpSets,
  isSetLike,
  printEntryWrite,
  printSetHeader,
  type SetHeader,
  type SetStatus,
  setNameProblem,
} from './ipset.ts';

/** One call of the fake, or one write of a batch. */
export type IpSetCall =
  | { readonly call: 'protocol' | 'sets' }
  | { readonly call: 'create'; readonly header: SetHeader }
  | { readonly call: 'destroy' | 'entries'; readonly name: string }
  | { readonly call: 'swap'; readonly names: readonly [string, string] }
  | { readonly call: 'write'; readonly write: EntryWrite };

interface HeldSet {
  header: SetHeader;
  hasExtensions: boolean;
  entries: Map<string, Entry>;
  references: number;
}

interface Refusal {
  readonly code: ErrnoCode;
  readonly detail: string;
}

/** IP sets in memory. They refuse what the kernel refuses. */
export class FakeIpSets implements IpSets {
  /** How often each call was made; `write` counts batches. */
  readonly calls = { protocol: 0, create: 0, destroy: 0, swap: 0, write: 0, sets: 0, entries: 0 };
  /** How many writes were tried in all. */
  writes = 0;
  /** Returns the code that a call, or a single write of a batch, fails with. */
  failWith: (call: IpSetCall) => ErrnoCode | undefined = () => undefined;
  /** Returns how many rules match on a set, besides those of {@link refer}. */
  rulesOn: (name: string) => number = () => 0;
  readonly #sets = new Map<string, HeldSet>();

  protocol(): number {
    this.calls.protocol++;
    this.#inject('ask for the ipset protocol', { call: 'protocol' });
    return 7;
  }

  create(header: SetHeader): void {
    const operation = `create set ${header.name}`;
    this.calls.create++;
    this.#inject(operation, { call: 'create', header });
    const problem = setNameProblem(header.name);
    if (problem !== undefined) throw new KernelError(operation, 'EINVAL', { detail: problem });
    const wanted = kernelHeader(header);
    const held = this.#sets.get(header.name);
    if (held === undefined) this.#make(wanted, { hasExtensions: false });
    else if (!isSetLike({ ...held, entryCount: 0 }, wanted))
      throw new KernelError(operation, 'EEXIST', {
        detail: `it is ${printSetHeader(held.header)}`,
      });
  }

  /** Creates a set with extensions, as another program does with `ipset create … timeout 60`. */
  createWithExtensions(header: SetHeader): void {
    this.#make(kernelHeader(header), { hasExtensions: true });
  }

  #make(header: SetHeader, { hasExtensions }: { hasExtensions: boolean }): void {
    this.#sets.set(header.name, { header, hasExtensions, entries: new Map(), references: 0 });
  }

  destroy(name: string): void {
    const operation = `destroy set ${name}`;
    this.calls.destroy++;
    this.#inject(operation, { call: 'destroy', name });
    if (this.#held(operation, name).references + this.rulesOn(name) > 0)
      throw new KernelError(operation, 'EBUSY', { detail: 'set is in use' });
    this.#sets.delete(name);
  }

  swap(one: string, other: string): void {
    const operation = `swap sets ${one} and ${other}`;
    this.calls.swap++;
    this.#inject(operation, { call: 'swap', names: [one, other] });
    const first = this.#held(operation, one);
    const second = this.#held(operation, other);
    if (contentOf(first.header) !== contentOf(second.header))
      throw new KernelError(operation, 'EINVAL', { detail: 'the sets differ in type' });
    const { header, hasExtensions, entries } = first;
    first.header = { ...second.header, name: one };
    first.hasExtensions = second.hasExtensions;
    first.entries = second.entries;
    second.header = { ...header, name: other };
    second.hasExtensions = hasExtensions;
    second.entries = entries;
  }

  write(batch: readonly EntryWrite[]): readonly Failure[] {
    this.calls.write++;
    return batch.flatMap((write, index) => {
      this.writes++;
      try {
        this.#write(write);
        return [];
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        return [{ index, error }];
      }
    });
  }

  async sets(): Promise<readonly SetStatus[]> {
    this.calls.sets++;
    this.#inject('list sets', { call: 'sets' });
    return [...this.#sets.values()].map(({ header, hasExtensions, entries, references }) => ({
      header,
      hasExtensions,
      references: references + this.rulesOn(header.name),
      entryCount: entries.size,
    }));
  }

  async entries(name: string): Promise<readonly Entry[]> {
    const operation = `list set ${name}`;
    this.calls.entries++;
    this.#inject(operation, { call: 'entries', name });
    return [...this.#held(operation, name).entries.values()];
  }

  /** Adds a rule that refers to a set. Returns a function that removes it. */
  refer(name: string): () => void {
    const held = this.#held(`refer to set ${name}`, name);
    held.references++;
    return () => {
      held.references--;
    };
  }

  /** As `ipset save` prints it, sets and entries sorted. */
  dump(): string {
    const sets = [...this.#sets].sort(([one], [other]) => (one < other ? -1 : 1));
    return sets
      .flatMap(([name, { header, entries }]) => [
        `create ${name} ${printSetHeader(header)}`,
        ...[...entries.keys()].sort().map((key) => `add ${name} ${key}`),
      ])
      .join('\n');
  }

  #write(write: EntryWrite): void {
    const operation = printEntryWrite(write);
    this.#inject(operation, { call: 'write', write });
    const held = this.#held(operation, write.set);
    const refusal = refusalOf(write.entry, held.header);
    if (refusal !== undefined)
      throw new KernelError(operation, refusal.code, { detail: refusal.detail });
    const entry = kernelEntry(write.entry);
    const key = entryKey(entry);
    if (write.kind === 'deleteEntry') held.entries.delete(key);
    else if (isFull(held) && !held.entries.has(key))
      throw new KernelError(operation, 'ENOSPC', { detail: 'set is full' });
    else held.entries.set(key, entry);
  }

  #held(operation: string, name: string): HeldSet {
    const held = this.#sets.get(name);
    if (held === undefined) throw new KernelError(operation, 'ENOENT');
    return held;
  }

  #inject(operation: string, call: IpSetCall): void {
    const code = this.failWith(call);
    if (code !== undefined) throw new KernelError(operation, code, { detail: 'injected' });
  }
}

/** The kernel rounds hash sizes up to a power of two of at least 64, and swaps the ends of a reversed range. */
function kernelHeader(header: SetHeader): SetHeader {
  if (header.type !== 'bitmap:port') {
    return { ...header, hashSize: 2 ** Math.max(6, Math.ceil(Math.log2(header.hashSize))) };
  }
  const [firstPort, lastPort] = [header.firstPort, header.lastPort].sort(
    (one, other) => one - other,
  );
  return { ...header, firstPort: firstPort ?? 0, lastPort: lastPort ?? 0 };
}

/** What the kernel compares before a swap: the parts of an entry, and the family. */
function contentOf(header: SetHeader): string {
  return header.type === 'bitmap:port' ? header.type : `${header.type} ${header.family}`;
}

function isFull({ header, entries }: HeldSet): boolean {
  return header.type !== 'bitmap:port' && entries.size >= header.maxElements;
}

/** The kernel masks the host bits of a network. */
function kernelEntry(entry: Entry): Entry {
  return entry.type === 'hash:ip,port,net'
    ? { ...entry, net: prefix(entry.net.address, entry.net.length) }
    : entry;
}

function refusalOf(entry: Entry, header: SetHeader): Refusal | undefined {
  const invalid = (detail: string): Refusal => ({ code: 'EINVAL', detail });
  if (entry.type !== header.type) return invalid(`the set is a ${header.type}`);
  if ('port' in entry && (!Number.isInteger(entry.port) || entry.port < 0 || entry.port > 65535)) {
    return { code: 'ERANGE', detail: `no port: ${entry.port}` };
  }
  if (header.type === 'bitmap:port') {
    const isInside =
      entry.type === 'bitmap:port' &&
      entry.port >= header.firstPort &&
      entry.port <= header.lastPort;
    return isInside ? undefined : { code: 'ERANGE', detail: 'port outside the range of the set' };
  }
  if (familiesOf(entry).some((family) => family !== header.family))
    return invalid('an address of the wrong family');
  if (entry.type === 'hash:ip' && entry.ip === unspecified(header.family))
    return invalid('the unspecified address');
  if (
    entry.type === 'hash:ip,port,net' &&
    (entry.net.length < 1 || entry.net.length > addressBits(header.family))
  ) {
    return invalid('invalid prefix length');
  }
  return undefined;
}

function familiesOf(entry: Entry): readonly Family[] {
  switch (entry.type) {
    case 'hash:ip':
    case 'hash:ip,port':
      return [familyOf(entry.ip)];
    case 'hash:ip,port,ip':
      return [familyOf(entry.ip), familyOf(entry.ip2)];
    case 'hash:ip,port,net':
      return [familyOf(entry.ip), prefixFamily(entry.net)];
    case 'bitmap:port':
      return [];
  }
}
