import type { Family } from '../ip/address.ts';
import { addressBits } from '../ip/address.ts';
import { protocolNumber } from '../ip/protocol.ts';
import type { Match, Rule, Target } from './firewall.ts';
import { matchWords, targetWords } from './render.ts';

/** A rule as `iptables-save` prints it back, which is not the text that went in: `-A KUBE-MARK-MASQ -j MARK …`. */
export function savedRule(chain: string, rule: Rule, family: Family): string {
  const basics = basicOrder.flatMap((kind) => rule.matches.filter(({ match }) => match === kind));
  const others = rule.matches.filter(({ match }) => !basicOrder.includes(match));
  return [
    '-A',
    chain,
    ...[...basics, ...others].flatMap((match) => savedMatch(match, family)),
    ...savedTarget(rule.target, family),
  ].join(' ');
}

/** What the kernel keeps in the rule's head rather than in a match: always printed first, in this order. */
const basicOrder: readonly Match['match'][] = [
  'source',
  'destination',
  'inputInterface',
  'protocol',
];

function savedMatch(match: Match, family: Family): readonly string[] {
  switch (match.match) {
    case 'comment':
      return ['-m', 'comment', '--comment', savedString(match.text)];
    case 'mark':
      return [
        ...['-m', 'mark', ...(match.not ? ['!'] : []), '--mark'],
        `${hex(match.value)}/${hex(match.mask)}`,
      ];
    case 'ipvs':
      return [
        ...['-m', 'ipvs', '--vproto', String(protocolNumber(match.protocol))],
        ...['--vaddr', `${match.address}/${addressBits(family)}`, '--vport', String(match.port)],
        ...(match.direction === undefined ? [] : ['--vdir', match.direction]),
      ];
    default:
      return matchWords(match);
  }
}

function savedTarget(target: Target, family: Family): readonly string[] {
  switch (target.target) {
    case 'MARK': {
      const mask = target.operation === 'or' ? target.value : 0;
      return ['-j', 'MARK', '--set-xmark', `${hex(target.value)}/${hex(mask)}`];
    }
    case 'REJECT':
      return [
        ...['-j', 'REJECT', '--reject-with'],
        family === 'IPv4' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable',
      ];
    default:
      return targetWords(target);
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function savedString(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `"${text.replaceAll(/["'\\]/g, '\\$&')}"`;
}
