import { printPrefix } from '../ip/prefix.ts';
import { protocolLabel } from '../ip/protocol.ts';
import type { Chain, Jump, Match, Rule, Ruleset, Table, Target } from './firewall.ts';

/** The input of `iptables-restore --noflush`, with its lines. */
export interface RestoreInput {
  /** Empty if nothing is to be done. */
  readonly text: string;
  /** The lines of the text. iptables counts them from 1. */
  readonly lines: readonly string[];
}

/**
 * The input that sets the rules of our chains, and inserts some jumps at the beginning of their chains. A chain that is declared is
 * emptied; others are not changed.
 */
export function restoreInput(ruleset: Ruleset, missingJumps: readonly Jump[]): RestoreInput {
  return sections((table) => {
    const chains = ruleset.chains.filter((chain) => chain.table === table);
    const jumps = missingJumps.filter((jump) => jump.table === table);
    return [
      ...chains.map(({ name }) => `:${name} - [0:0]`),
      ...chains.flatMap(({ name, rules }) => rules.map((rule) => `-A ${ruleText(name, rule)}`)),
      ...jumps.map((jump) => `-I ${jumpText(jump)}`),
    ];
  });
}

/** The input that empties some chains and removes jumps. A jump that exists twice is listed twice. */
export function emptyInput(chains: readonly ChainName[], jumps: readonly Jump[]): RestoreInput {
  return sections((table) => [
    ...chains.filter((chain) => chain.table === table).map(({ name }) => `:${name} - [0:0]`),
    ...jumps.filter((jump) => jump.table === table).map((jump) => `-D ${jumpText(jump)}`),
  ]);
}

/** The input that deletes some chains, which must be empty and unused. */
export function deleteInput(chains: readonly ChainName[]): RestoreInput {
  return sections((table) =>
    chains.filter((chain) => chain.table === table).map(({ name }) => `-X ${name}`),
  );
}

/** The name of a chain and its table. */
export type ChainName = Pick<Chain, 'table' | 'name'>;

/** Leaves out tables without lines, as naming a table would create it. */
function sections(linesOf: (table: Table) => readonly string[]): RestoreInput {
  const lines = tables.flatMap((table) => {
    const own = linesOf(table);
    return own.length === 0 ? [] : [`*${table}`, ...own, 'COMMIT'];
  });
  return { lines, text: lines.map((line) => `${line}\n`).join('') };
}

/** A rule as it follows `-A`: chain, matches and target. */
export function ruleText(chain: string, rule: Rule): string {
  return ruleWords(chain, rule).map(quoted).join(' ');
}

/** A rule as iptables' arguments: chain, matches and target. */
function ruleWords(chain: string, rule: Rule): readonly string[] {
  return [chain, ...rule.matches.flatMap(matchWords), ...targetWords(rule.target)];
}

/** A jump as iptables' arguments after `-I`, `-C` or `-D`. */
export function jumpWords({ from, comment, to }: Jump): readonly string[] {
  const target: Target = { target: 'jump', chain: to };
  return ruleWords(from, { matches: [{ match: 'comment', text: comment }], target });
}

/** A jump as it follows `-I`, `-C` or `-D`. */
export function jumpText(jump: Jump): string {
  return jumpWords(jump).map(quoted).join(' ');
}

/** The tables in the order in which they are written. */
const tables: readonly Table[] = ['nat', 'filter'];

/** A match as iptables' arguments. */
export function matchWords(match: Match): readonly string[] {
  const not = 'not' in match && match.not ? ['!'] : [];
  switch (match.match) {
    case 'comment':
      return ['-m', 'comment', '--comment', match.text];
    case 'protocol':
      return ['-p', protocolLabel(match.protocol)];
    case 'source':
      return [...not, '-s', printPrefix(match.network)];
    case 'destination':
      return [...not, '-d', printPrefix(match.network)];
    case 'inputInterface':
      return [...not, '-i', match.name];
    case 'set':
      return ['-m', 'set', '--match-set', match.set, match.directions.join(',')];
    case 'mark':
      return ['-m', 'mark', ...not, '--mark', `${printMark(match.value)}/${printMark(match.mask)}`];
    case 'connectionState':
      return ['-m', 'conntrack', '--ctstate', match.states.join(',')];
    case 'sourceType':
      return ['-m', 'addrtype', ...not, '--src-type', match.type];
    case 'destinationType':
      return ['-m', 'addrtype', ...not, '--dst-type', match.type];
    case 'physicalInput':
      return ['-m', 'physdev', ...not, '--physdev-is-in'];
    case 'ipvs':
      return ipvsWords(match);
  }
}

function ipvsWords(match: Extract<Match, { match: 'ipvs' }>): readonly string[] {
  const { address, protocol, port, direction } = match;
  return [
    ...['-m', 'ipvs', '--vaddr', address],
    ...['--vproto', protocolLabel(protocol), '--vport', String(port)],
    ...(direction === undefined ? [] : ['--vdir', direction]),
  ];
}

/** A target as iptables' arguments. */
export function targetWords(target: Target): readonly string[] {
  switch (target.target) {
    case 'jump':
      return ['-j', target.chain];
    case 'MASQUERADE':
      return ['-j', 'MASQUERADE', ...(target.randomFully ? ['--random-fully'] : [])];
    case 'MARK':
      return ['-j', 'MARK', `--${target.operation}-mark`, printMark(target.value)];
    case 'RETURN':
    case 'ACCEPT':
    case 'DROP':
    case 'REJECT':
      return ['-j', target.target];
  }
}

/** With eight digits, as upstream writes it. */
function printMark(mark: number): string {
  return `0x${mark.toString(16).padStart(8, '0')}`;
}

/** A word for iptables-restore: quoted unless it is plain, as a line break would begin another rule. */
function quoted(word: string): string {
  if (/[\n\r\0]/.test(word)) throw new Error(`not one line: ${JSON.stringify(word)}`);
  return /^[\w!+,./:-]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, '\\$&')}"`;
}
