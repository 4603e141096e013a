import { type ErrnoCode, type Failure, KernelError } from '../errno/errno.ts';
import { addressBits, type Family, familyOf, unspecified } from '../ip/address.ts';
import { prefix, prefixFamily } from '../ip/prefix.ts';
import {
  type Entry,
  type EntryWrite,
  entryKey,
  type IpSets,
  printEntryWrite,
  printSetHeader,
  type SetHeader,
  type SetStatus,
  setNameProblem,
} from './ipset.ts';

/** One question to the fake, or one write of a batch. */
export type IpSetCall =
  | { readonly call: 'protocol' | 'sets' }
  | { readonly call: 'create'; readonly header: SetHeader }
  | { readonly call: 'destroy' | 'entries'; readonly name: string }
  | { readonly call: 'write'; readonly write: EntryWrite };

interface HeldSet {
  readonly header: SetHeader;
  readonly entries: Map<string, Entry>;
  references: number;
}

interface Refusal {
  readonly code: ErrnoCode;
  readonly detail: string;
}

/** IP sets in memory, which refuse what the kernel refuses. */
export class FakeIpSets implements IpSets {
  /** How often each call was made; `write` counts batches. */
  readonly calls = { protocol: 0, create: 0, destroy: 0, write: 0, sets: 0, entries: 0 };
  /** How many writes were tried, in all batches together. */
  writes = 0;
  /** Fails a call, or a single write of a batch, with the code it returns. */
  failWith: (call: IpSetCall) => ErrnoCode | undefined = () => undefined;
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
    const held = this.#sets.get(header.name)?.header;
    if (held === undefined)
      this.#sets.set(header.name, { header: wanted, entries: new Map(), references: 0 });
    else if (!isSameSet(held, wanted))
      throw new KernelError(operation, 'EEXIST', { detail: `it is ${printSetHeader(held)}` });
  }

  destroy(name: string): void {
    const operation = `destroy set ${name}`;
    this.calls.destroy++;
    this.#inject(operation, { call: 'destroy', name });
    if (this.#held(operation, name).references > 0)
      throw new KernelError(operation, 'EBUSY', { detail: 'set is in use' });
    this.#sets.delete(name);
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
    return [...this.#sets.values()].map(({ header, entries, references }) => ({
      header,
      references,
      entryCount: entries.size,
    }));
  }

  async entries(name: string): Promise<readonly Entry[]> {
    const operation = `list set ${name}`;
    this.calls.entries++;
    this.#inject(operation, { call: 'entries', name });
    return [...this.#held(operation, name).entries.values()];
  }

  /** A rule that refers to a set, so that it cannot be destroyed; the returned function takes it away. */
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

/** The kernel rounds hash sizes up to a power of two of at least 64, and turns a range that stands on its head. */
function kernelHeader(header: SetHeader): SetHeader {
  if (header.type !== 'bitmap:port') {
    return { ...header, hashSize: 2 ** Math.max(6, Math.ceil(Math.log2(header.hashSize))) };
  }
  const [firstPort, lastPort] = [header.firstPort, header.lastPort].sort(
    (one, other) => one - other,
  );
  return { ...header, firstPort: firstPort ?? 0, lastPort: lastPort ?? 0 };
}

function isSameSet(one: SetHeader, other: SetHeader): boolean {
  if (one.type === 'bitmap:port' || other.type === 'bitmap:port')
    return printSetHeader(one) === printSetHeader(other);
  return (
    one.type === other.type && one.family === other.family && one.maxElements === other.maxElements
  );
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
