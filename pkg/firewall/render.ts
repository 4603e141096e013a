import { printPrefix } from '../ip/prefix.ts';
import { protocolLabel } from '../ip/protocol.ts';
import type { Jump, Match, Rule, Ruleset, Table, Target } from './firewall.ts';

/** What `iptables-restore --noflush` is to do, and which rule stands on which line of it. */
export interface RestoreInput {
  readonly text: string;
  /** The text's lines; iptables counts them from 1. */
  readonly lines: readonly string[];
}

/**
 * The input that makes our chains hold exactly these rules, and inserts some jumps first in their chains.
 * A chain that is declared is emptied; chains that are not named are left alone.
 */
export function restoreInput(ruleset: Ruleset, missingJumps: readonly Jump[]): RestoreInput {
  const lines = tables.flatMap((table) => {
    const chains = ruleset.chains.filter((chain) => chain.table === table);
    const jumps = missingJumps.filter((jump) => jump.table === table);
    if (chains.length === 0 && jumps.length === 0) return [];
    return [
      `*${table}`,
      ...chains.map(({ name }) => `:${name} - [0:0]`),
      ...chains.flatMap(({ name, rules }) => rules.map((rule) => `-A ${ruleText(name, rule)}`)),
      ...jumps.map((jump) => `-I ${jumpText(jump)}`),
      'COMMIT',
    ];
  });
  return { lines, text: `${lines.join('\n')}\n` };
}

/** The input that takes some jumps away and deletes these of our chains, emptied first. */
export function removeInput(ruleset: Ruleset, presentJumps: readonly Jump[]): RestoreInput {
  const lines = tables.flatMap((table) => {
    const chains = ruleset.chains.filter((chain) => chain.table === table);
    const jumps = presentJumps.filter((jump) => jump.table === table);
    if (chains.length === 0 && jumps.length === 0) return [];
    return [
      `*${table}`,
      ...chains.map(({ name }) => `:${name} - [0:0]`),
      ...jumps.map((jump) => `-D ${jumpText(jump)}`),
      ...chains.map(({ name }) => `-X ${name}`),
      'COMMIT',
    ];
  });
  return { lines, text: `${lines.join('\n')}\n` };
}

/** A rule as it follows `-A`: its chain, matches and target. */
export function ruleText(chain: string, rule: Rule): string {
  return [chain, ...rule.matches.flatMap(matchWords), ...targetWords(rule.target)]
    .map(quoted)
    .join(' ');
}

/** A jump as it follows `-I`, `-C` or `-D`. */
export function jumpText({ from, comment, to }: Jump): string {
  const target: Target = { target: 'jump', chain: to };
  return ruleText(from, { matches: [{ match: 'comment', text: comment }], target });
}

/** In the order in which they are written. */
const tables: readonly Table[] = ['nat', 'filter'];

/** A condition as iptables' arguments. */
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

/** What a rule does, as iptables' arguments. */
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

/** A word for iptables-restore: in double quotes unless it is plain; a line break would begin another rule. */
function quoted(word: string): string {
  if (/[\n\r\0]/.test(word)) throw new Error(`not one line: ${JSON.stringify(word)}`);
  return /^[\w!+,./:-]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, '\\$&')}"`;
}
