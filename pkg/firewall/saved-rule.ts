import type { Match, Target } from './firewall.ts';
import { type SavedMatch, savedMatches, type Words } from './saved-match.ts';

/** What a rule of anybody's does. */
export type SavedTarget =
  | Target
  /** As a jump, but RETURN there leads past the chain that it stands in. */
  | { readonly target: 'goto'; readonly chain: string }
  /** `MARK --set-xmark`: the bits of the mask are cleared, then those of the value are flipped. */
  | { readonly target: 'setMark'; readonly value: number; readonly mask: number }
  /** A rule that counts or logs: nothing becomes of the packet. */
  | { readonly target: 'none' }
  | { readonly target: 'unknown'; readonly text: string };

/** A rule of anybody's as `iptables-save` printed it: as values what is understood, as text what is not. */
export interface SavedRule {
  /** The whole line, from `-A` on. */
  readonly text: string;
  readonly matches: readonly SavedMatch[];
  readonly target: SavedTarget;
}

/** A chain as `iptables-save` printed it. */
export interface SavedChain {
  /** What becomes of a packet that no rule decides on; `undefined` for chains that are not built in. */
  readonly policy: 'ACCEPT' | 'DROP' | undefined;
  readonly rules: readonly SavedRule[];
}

/** The chains of a table by name; `opaque` where iptables could not print what is in it. */
export type SavedChains = ReadonlyMap<string, SavedChain> | 'opaque';

/** Everything that `iptables-save` printed, by table. Line by line: what is neither table, chain nor rule is left out. */
export function parseChains(text: string): ReadonlyMap<string, SavedChains> {
  const tables = new Map<string, SavedChains>();
  let chains = new Map<string, SavedChain & { readonly rules: SavedRule[] }>();
  for (const line of text.split('\n')) {
    const opaque = /^# Table `([^']+)' is incompatible/.exec(line)?.[1];
    if (opaque !== undefined) tables.set(opaque, 'opaque');
    else if (line.startsWith('*')) {
      chains = new Map();
      tables.set(line.slice(1), chains);
    } else if (line.startsWith(':')) {
      const [name = '', policy] = line.slice(1).split(' ');
      const isPolicy = policy === 'ACCEPT' || policy === 'DROP';
      chains.set(name, { policy: isPolicy ? policy : undefined, rules: [] });
    } else if (/^(\[\d+:\d+\] )?-A /.test(line)) {
      const rule = line.slice(line.indexOf('-A '));
      chains.get(rule.split(' ', 2)[1] ?? '')?.rules.push(parseSavedRule(rule));
    }
  }
  return tables;
}

/** Reads one rule as `iptables-save` prints it. Never fails: what is not understood is kept as text. */
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

/** Where `-j` or `-g` stands; a comment may consist of these letters too. */
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
  if (name === 'LOG' || name === 'NFLOG') return { target: 'none' };
  if (name === 'MASQUERADE')
    return { target: name, randomFully: options.includes('--random-fully') };
  if (name === 'MARK') return markTarget(options) ?? unknown;
  if (options.length > 0) return unknown;
  return { target: option === '-g' ? 'goto' : 'jump', chain: name };
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

/** The comment that a rule carries, or `undefined`. */
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
