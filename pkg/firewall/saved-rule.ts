import { type IpAddress, parseAddress } from '../ip/address.ts';
import type { Match, Target } from './firewall.ts';
import { takeLines } from './lines.ts';
import { type SavedMatch, savedMatches, type Words } from './saved-match.ts';

/** The target of a rule of any program. */
export type SavedTarget =
  | Target
  /** Like a jump, but RETURN leaves the chain of this rule too. */
  | { readonly target: 'goto'; readonly chain: string }
  /** `MARK --set-xmark`: clears the bits of the mask, then flips those of the value. */
  | { readonly target: 'setMark'; readonly value: number; readonly mask: number }
  /** Translates the destination; without a port, that of the packet stays. */
  | { readonly target: 'DNAT'; readonly address: IpAddress; readonly port: number | undefined }
  /** Translates the source to one address. */
  | { readonly target: 'SNAT'; readonly address: IpAddress }
  /** A rule that only counts or logs, or changes nothing that a later rule matches. */
  | { readonly target: 'none' }
  | { readonly target: 'unknown'; readonly text: string };

/** A rule of any program as `iptables-save` printed it. Unknown parts are kept as text. */
export interface SavedRule {
  /** The whole line, from `-A` on. */
  readonly text: string;
  readonly matches: readonly SavedMatch[];
  readonly target: SavedTarget;
}

/** A chain as `iptables-save` printed it. */
export interface SavedChain {
  /** The policy of a built-in chain; `undefined` for other chains. */
  readonly policy: 'ACCEPT' | 'DROP' | undefined;
  readonly rules: readonly SavedRule[];
}

/** The chains of a table by name; `opaque` if iptables could not print the table. */
export type SavedChains = ReadonlyMap<string, SavedChain> | 'opaque';

/** Parses the output of `iptables-save`, by table. Lines that are no table, chain or rule are ignored. */
export function parseChains(text: string): ReadonlyMap<string, SavedChains> {
  const parser = new ChainParser();
  for (const line of text.split('\n')) parser.take(line);
  return parser.tables;
}

/** How {@link parseChainsInPieces} reads. */
export interface PieceOptions {
  /** Whether the rules of a chain are only counted. */
  readonly isSkipped: (table: string, chain: string) => boolean;
  /** Called after each piece; it lets other work run. */
  readonly pause: () => Promise<void> | undefined;
}

/** How many lines are read between two pauses: less than two milliseconds of work. */
const pieceLines = 100;

/** The same as {@link parseChains}, for texts of many thousand rules: other work runs between two pieces. */
export async function parseChainsInPieces(
  text: string,
  { isSkipped, pause }: PieceOptions,
): Promise<ReadonlyMap<string, SavedChains>> {
  const parser = new ChainParser(isSkipped);
  await takeLines(text, (line) => parser.take(line), { pieceLines, pause });
  return parser.tables;
}

/** Reads the output of `iptables-save` line by line. */
class ChainParser {
  readonly tables = new Map<string, SavedChains>();
  readonly #isSkipped: (table: string, chain: string) => boolean;
  #table = '';
  #chains = new Map<string, SavedChain & { readonly rules: SavedRule[] }>();

  constructor(isSkipped: (table: string, chain: string) => boolean = () => false) {
    this.#isSkipped = isSkipped;
  }

  take(line: string): void {
    const opaque = /^# Table `([^']+)' is incompatible/.exec(line)?.[1];
    if (opaque !== undefined) this.tables.set(opaque, 'opaque');
    else if (line.startsWith('*')) {
      this.#table = line.slice(1);
      this.#chains = new Map();
      this.tables.set(this.#table, this.#chains);
    } else if (line.startsWith(':')) {
      const [name = '', policy] = line.slice(1).split(' ');
      const isPolicy = policy === 'ACCEPT' || policy === 'DROP';
      this.#chains.set(name, { policy: isPolicy ? policy : undefined, rules: [] });
    } else if (/^(\[\d+:\d+\] )?-A /.test(line)) this.#takeRule(line.slice(line.indexOf('-A ')));
  }

  #takeRule(rule: string): void {
    const name = rule.split(' ', 2)[1] ?? '';
    const isSkipped = this.#isSkipped(this.#table, name);
    this.#chains.get(name)?.rules.push(isSkipped ? unreadRule : parseSavedRule(rule));
  }
}

/** Stands for each rule of a chain that is skipped. */
const unreadRule: SavedRule = { text: '', matches: [], target: { target: 'unknown', text: '' } };

/** Parses one rule as `iptables-save` prints it. Never throws: unknown parts are kept as text. */
export function parseSavedRule(text: string): SavedRule {
  const all = wordsOf(text).slice(2);
  const start = targetStart(all);
  const [option, name, ...options] = start < 0 ? [] : all.slice(start);
  return {
    text,
    matches: savedMatches(start < 0 ? all : all.slice(0, start)),
    target: name === undefined ? { target: 'none' } : savedTarget(name, { option, options }),
  };
}

/** The index of `-j` or `-g`, which may also be the words of a comment. */
function targetStart(words: Words): number {
  return words.findIndex(
    (word, index) => (word === '-j' || word === '-g') && words[index - 1] !== '--comment',
  );
}

function savedTarget(
  name: string,
  { option, options }: { option: string | undefined; options: Words },
): SavedTarget {
  const unknown = { target: 'unknown', text: [name, ...options].join(' ') } as const;
  const verdict = verdicts.find((each) => each === name);
  if (verdict !== undefined) return { target: verdict };
  if (passive.has(name)) return { target: 'none' };
  if (name === 'DNAT' || name === 'SNAT') return translation(name, options) ?? unknown;
  if (name === 'MASQUERADE')
    return { target: name, randomFully: options.includes('--random-fully') };
  if (name === 'MARK') return markTarget(options) ?? unknown;
  if (options.length > 0) return unknown;
  return { target: option === '-g' ? 'goto' : 'jump', chain: name };
}

/** Targets after which the next rule is looked at, and that change nothing that rules match. */
const passive: ReadonlySet<string> = new Set(['LOG', 'NFLOG', 'TRACE', 'AUDIT', 'TCPMSS']);

/** `--to-destination 10.0.0.1:80`. Ranges and further options, but for those about the source port, are not understood. */
function translation(name: 'DNAT' | 'SNAT', options: Words): SavedTarget | undefined {
  const [option, text = '', ...more] = options;
  const wanted = name === 'DNAT' ? '--to-destination' : '--to-source';
  const isPlain = more.every((word) => word === '--random' || word === '--random-fully');
  if (option !== wanted || !isPlain) return undefined;
  const bare = parseAddress(text.replace(/^\[(.*)\]$/, '$1'));
  if (name === 'SNAT') return bare === undefined ? undefined : { target: 'SNAT', address: bare };
  if (bare !== undefined) return { target: 'DNAT', address: bare, port: undefined };
  const [, host = '', digits = ''] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  const address = parseAddress(host.replace(/^\[(.*)\]$/, '$1'));
  return address === undefined ? undefined : { target: 'DNAT', address, port: Number(digits) };
}

const verdicts = ['RETURN', 'ACCEPT', 'DROP', 'REJECT'] as const;

/** `--set-xmark 0x4000/0x4000` sets these bits, `0x4000/0x0` flips them. */
function markTarget([option, text = '', ...more]: Words): SavedTarget | undefined {
  if (option !== '--set-xmark' || more.length > 0) return undefined;
  const [value = Number.NaN, mask = 0xffff_ffff] = text.split('/').map(Number);
  if (!Number.isInteger(value) || !Number.isInteger(mask)) return undefined;
  if (mask === value) return { target: 'MARK', operation: 'or', value };
  if (mask === 0) return { target: 'MARK', operation: 'xor', value };
  return { target: 'setMark', value, mask };
}

/** Words as iptables-save quotes them: in double quotes, with a backslash before quotes and backslashes. */
function wordsOf(text: string): Words {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, plain]) => plain ?? quoted?.replaceAll(/\\(.)/g, '$1') ?? '',
  );
}

/** The comment of a rule, or `undefined`. */
export function commentOf({
  matches,
}: {
  readonly matches: readonly SavedMatch[];
}): string | undefined {
  const comment = matches.find(
    (match): match is Extract<Match, { match: 'comment' }> => match.match === 'comment',
  );
  return comment?.text;
}
