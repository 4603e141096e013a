import type { NameKind } from '../replace.ts';
import { builtinChains, deviceStems, knownDevices } from './known-words.ts';

/** Names by their kind, as they were found in a dump. */
export type NamesByKind = ReadonlyMap<NameKind, ReadonlySet<string>>;

/** Names that stay, as every cluster has them or as they say nothing about one. */
const known: Partial<Record<NameKind, ReadonlySet<string>>> = {
  namespace: new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']),
  service: new Set(['kubernetes', 'kube-dns']),
  slice: new Set(['kubernetes']),
  port: new Set(['http', 'https', 'dns', 'dns-tcp', 'metrics', 'grpc']),
  table: new Set(['filter', 'nat', 'mangle', 'raw', 'security', 'kube-proxy', 'firewalld']),
  chain: builtinChains,
  device: knownDevices,
};

/** The kinds, in the order in which a name that is of several is called by. */
const kindsInOrder: readonly NameKind[] = [
  ...(['namespace', 'service', 'slice', 'node', 'zone', 'port', 'uid', 'device'] as const),
  ...(['set', 'chain', 'table', 'comment', 'host', 'path', 'hardware', 'value'] as const),
];

/** The names of chains and sets of kube-proxy, and of those that end in a hash, what is before it. */
const ours = /^(KUBE-(?:[A-Z0-9]+-)*)(?:([A-Z2-7]{16})|[A-Z0-9]+)$/;

/** What is put into replacements until none of them is a name that is in the dump. */
const tags: readonly string[] = ['', 'a', 'b', 'c', 'd', 'e', 'f'];

/**
 * Replaces names by others, which stand for them alone. In each kind they have the order of those that they stand for. Names that say
 * nothing about a cluster stay. Which one stands for which cannot be told from the names.
 */
export class NameReplacer {
  readonly #replacements: Map<string, string>;
  /** The names that stay. */
  readonly #kept: ReadonlySet<string>;

  constructor(names: NamesByKind) {
    const all = new Set([...names.values()].flatMap((some) => [...some]));
    this.#kept = new Set(
      [...names].flatMap(([kind, some]) => [...some].filter((name) => isKept(kind, name))),
    );
    const numbered = tags.map((tag) => replacements(names, tag));
    const isFree = (some: ReadonlyMap<string, string>) =>
      ![...some.values()].some((one) => all.has(one));
    this.#replacements = numbered.find(isFree) ?? replacements(names, 'g');
  }

  name(kind: NameKind, name: string): string {
    if (kind === 'release') return /^\d+(?:\.\d+)*/.exec(name)?.[0] ?? '';
    if (kind === 'device' && name.endsWith('+')) return `${this.name(kind, name.slice(0, -1))}+`;
    if (isKept(kind, name)) return name;
    const found = this.#replacements.get(name);
    if (found === undefined) throw new Error(`a ${kind} that was not collected`);
    return found;
  }

  word(word: string): string | undefined {
    if (this.#kept.has(word)) return word;
    // A number is a word of many meanings.
    return /^\d+$/.test(word) ? undefined : this.#replacements.get(word);
  }
}

/** Gives the names of each kind numbers in their order. A name of several kinds is called by the first. */
function replacements(names: NamesByKind, tag: string): Map<string, string> {
  const result = new Map<string, string>();
  for (const kind of kindsInOrder) {
    const found = [...(names.get(kind) ?? [])].filter((name) => !isKept(kind, name));
    const sorted = found.toSorted(comparerOf(kind));
    const width = String(sorted.length).length;
    for (const [index, name] of sorted.entries()) {
      if (result.has(name)) continue;
      const number = `${tag}${String(index + 1).padStart(width, '0')}`;
      const parent = kind === 'device' ? parentOf(name, { sorted, result }) : undefined;
      result.set(name, printed(kind, { name, number, index, tag, parent }));
    }
  }
  return result;
}

/** What stands for the longest name that another one begins with: rules match on such as a prefix (`cali+`). */
function parentOf(
  name: string,
  { sorted, result }: { readonly sorted: readonly string[]; readonly result: Map<string, string> },
): string | undefined {
  const prefix = sorted.findLast((one) => one !== name && name.startsWith(one));
  return prefix === undefined ? undefined : result.get(prefix);
}

function isKept(kind: NameKind, name: string): boolean {
  if (known[kind]?.has(name) === true) return true;
  if (kind === 'chain' || kind === 'set') {
    const match = ours.exec(name);
    return match !== null && match[2] === undefined;
  }
  if (kind !== 'device') return false;
  const [, stem = '', rest = ''] = /^([a-z-]+)(.*)$/.exec(name) ?? [];
  return deviceStems.includes(stem) && /^(?:\d{1,3}(?:\.\d{1,4})?)?$/.test(rest);
}

/** Namespaces are compared as they are in the keys of objects. */
function comparerOf(kind: NameKind): (one: string, other: string) => number {
  const end = kind === 'namespace' ? '/' : '';
  return (one, other) => (`${one}${end}` < `${other}${end}` ? -1 : 1);
}

/** A name with its place among those of its kind. */
interface Numbered {
  readonly name: string;
  readonly number: string;
  readonly index: number;
  readonly tag: string;
  readonly parent: string | undefined;
}

function printed(kind: NameKind, { name, number, index, tag, parent }: Numbered): string {
  switch (kind) {
    case 'uid':
      return `0000000${tag || '0'}-0000-4000-8000-${String(index + 1).padStart(12, '0')}`;
    case 'hardware':
      return `02:00:0${tag || '0'}${`00000${index.toString(16)}`.slice(-6).replace(/../g, ':$&')}`;
    case 'chain':
    case 'set': {
      const [, before, hash] = ours.exec(name) ?? [];
      return hash === undefined ? `${kind}-${number}` : `${before}${hashLike(index)}`;
    }
    case 'device': {
      const stem = stemOf(name);
      if (stem !== '') return `${stem}${number.padStart(6, '0')}`.slice(0, 15);
      return `${parent ?? 'd'}${number}-`;
    }
    case 'path':
      return `/path/${number}`;
    case 'host':
      return `host-${number}.example`;
    case 'table': {
      const family = /^(?:ip6?|inet|arp|bridge|netdev) /.exec(name)?.[0] ?? '';
      return `${family}table-${number}`;
    }
    case 'namespace':
    case 'service':
    case 'slice':
    case 'node':
    case 'zone':
    case 'port':
    case 'comment':
    case 'release':
    case 'value':
      return `${kind}-${number}`;
  }
}

/** The longest part that a name begins with and that says its kind; '' if there is none. */
function stemOf(name: string): string {
  return deviceStems
    .filter((stem) => name.startsWith(stem))
    .reduce((longest, stem) => (stem.length > longest.length ? stem : longest), '');
}

/** A text like the hashes in names of chains: different for each index. */
function hashLike(index: number): string {
  return index
    .toString(26)
    .replace(/./g, (digit) => String.fromCharCode(65 + Number.parseInt(digit, 26)))
    .padStart(16, 'A');
}
