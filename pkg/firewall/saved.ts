import { setImmediate as turn } from 'node:timers/promises';
import type { Family } from '../ip/address.ts';
import { protocolNumber } from '../ip/protocol.ts';
import type { Jump, Match, Rule, Ruleset, Target } from './firewall.ts';
import { takeLines } from './lines.ts';
import { type ChainName, matchWords, targetWords } from './render.ts';

/** A rule as `iptables-save` prints it, which differs from what was written: `-A KUBE-MARK-MASQ -j MARK …`. */
export function savedRule(chain: string, rule: Rule, family: Family): string {
  const basics = basicOrder.flatMap((kind) => rule.matches.filter(({ match }) => match === kind));
  const others = rule.matches.filter(({ match }) => !basicOrder.includes(match));
  return [
    '-A',
    chain,
    ...[...basics, ...others].flatMap(savedMatch),
    ...savedTarget(rule.target, family),
  ].join(' ');
}

/** Matches that the kernel keeps in the rule itself: they are printed first, in this order. */
const basicOrder: readonly Match['match'][] = [
  'source',
  'destination',
  'inputInterface',
  'protocol',
];

/** A match as it is printed: mostly as it was written. */
function savedMatch(match: Match): readonly string[] {
  if (match.match === 'comment') return ['-m', 'comment', '--comment', savedString(match.text)];
  if (match.match === 'mark') {
    const mark = `${hex(match.value)}/${hex(match.mask)}`;
    return ['-m', 'mark', ...(match.not ? ['!'] : []), '--mark', mark];
  }
  if (match.match === 'ipvs') {
    return [
      ...['-m', 'ipvs', '--vproto', String(protocolNumber(match.protocol))],
      ...['--vaddr', match.address, '--vport', String(match.port)],
      ...(match.direction === undefined ? [] : ['--vdir', match.direction]),
    ];
  }
  return matchWords(match);
}

function savedTarget(target: Target, family: Family): readonly string[] {
  if (target.target === 'MARK') {
    const mask = target.operation === 'or' ? target.value : 0;
    return ['-j', 'MARK', '--set-xmark', `${hex(target.value)}/${hex(mask)}`];
  }
  if (target.target === 'REJECT') {
    const icmp = family === 'IPv4' ? 'icmp' : 'icmp6';
    return ['-j', 'REJECT', '--reject-with', `${icmp}-port-unreachable`];
  }
  return targetWords(target);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function savedString(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `"${text.replaceAll(/["'\\]/g, '\\$&')}"`;
}

/** One table of the output of `iptables-save`: its chains, built-in ones included, each with its rules in order, from `-A` on. */
export type SavedTable = ReadonlyMap<string, readonly string[]>;

/** How many lines are read between two turns of the event loop: some milliseconds of work. */
const pieceLines = 2000;

/** Parses the output of `iptables-save` by table, without parsing rules. Long ones are read in pieces, and other work runs between. */
export async function parseSaved(text: string): Promise<Saved> {
  const parser = new SavedParser();
  await takeLines(text, (line) => parser.take(line), { pieceLines, pause: turn });
  return parser.tables;
}

/** The same as {@link parseSaved}, at once. */
export function parseSavedAtOnce(text: string): Saved {
  const parser = new SavedParser();
  for (const line of text.split('\n')) parser.take(line);
  return parser.tables;
}

class SavedParser {
  readonly tables = new Map<string, Map<string, string[]>>();
  #table = new Map<string, string[]>();

  take(line: string): void {
    if (line.startsWith('*')) {
      this.#table = new Map();
      this.tables.set(line.slice(1), this.#table);
    } else if (line.startsWith(':')) this.#rulesOf(line.slice(1, line.indexOf(' ')));
    else if (line.startsWith('-A ')) this.#rulesOf(savedChain(line)).push(line);
  }

  #rulesOf(chain: string): string[] {
    const known = this.#table.get(chain) ?? [];
    this.#table.set(chain, known);
    return known;
  }
}

/** The chain of a printed rule. */
export function savedChain(rule: string): string {
  return rule.slice(3, rule.indexOf(' ', 3));
}

/** A jump as `iptables-save` prints it. */
export function savedJump({ from, comment, to }: Jump, family: Family): string {
  const target: Target = { target: 'jump', chain: to };
  return savedRule(from, { matches: [{ match: 'comment', text: comment }], target }, family);
}

/** The output of `iptables-save`, by table. */
export type Saved = ReadonlyMap<string, SavedTable>;

/** Our chains with their rules, and which of our jumps exist; not their positions. */
export function ourPart(
  saved: Saved,
  { family, ruleset }: { family: Family; ruleset: Ruleset },
): { text: string; isComplete: boolean } {
  const lines: string[] = [];
  let isComplete = true;
  for (const { table, name, rules } of ruleset.chains) {
    const own = saved.get(table)?.get(name);
    if (own !== undefined) lines.push(`${table} :${name}`, ...own);
    if (own?.length !== rules.length) isComplete = false;
  }
  for (const jump of ruleset.jumps) {
    const [text] = standingCopies(saved, { jump, family });
    if (text !== undefined) lines.push(`${jump.table} ${text}`);
    else isComplete = false;
  }
  return { text: lines.join('\n'), isComplete };
}

/** A jump as it is printed, as often as it is there. */
export function standingCopies(
  saved: Saved,
  { jump, family }: { jump: Jump; family: Family },
): readonly string[] {
  const text = savedJump(jump, family);
  return (saved.get(jump.table)?.get(jump.from) ?? []).filter((rule) => rule === text);
}

/** The chains of ours that no rule of others refers to. */
export function deletableChains(
  saved: Saved,
  { family, ruleset }: { family: Family; ruleset: Ruleset },
): readonly ChainName[] {
  return ruleset.chains.filter(({ table, name }) => {
    const found = saved.get(table);
    if (!found?.has(name)) return false;
    const ours = new Set(ruleset.chains.filter((c) => c.table === table).map((c) => c.name));
    const jumps = new Set(ruleset.jumps.map((jump) => savedJump(jump, family)));
    const refersTo = new RegExp(` -[jg] ${name}( |$)`);
    return ![...found].some(
      ([chain, rules]) =>
        !ours.has(chain) && rules.some((rule) => refersTo.test(rule) && !jumps.has(rule)),
    );
  });
}
