import { commentOf, type SavedRule } from '../firewall/saved-rule.ts';
import { printHostPort } from '../ip/address.ts';
import { printRealServer, printVirtualServer } from '../ipvs/ipvs.ts';
import type { Packet } from './packet.ts';
import type { Balancing, Choice, Place, Step, Trace, Verdict } from './result.ts';

/** A packet and its trace for people, one line a step, each real server's own steps indented below it. */
export function printTrace(packet: Packet, { steps, verdict }: Trace): string {
  return [printPacket(packet), ...steps.map(printStep), ...printVerdict(verdict)]
    .map((line) => `${line}\n`)
    .join('');
}

/** `TCP 10.0.1.2 → 172.30.0.1:80 in by v-web`. */
function printPacket({ protocol, source, destination, port, origin }: Packet): string {
  const way = origin.kind === 'node' ? 'from the node' : `in by ${origin.name}`;
  const bridged = origin.kind === 'device' && origin.bridgePort ? ` from ${origin.bridgePort}` : '';
  return `${protocol} ${source} → ${printHostPort(destination, port)} ${way}${bridged}`;
}

function printStep(step: Step): string {
  switch (step.kind) {
    case 'rule':
      return `${printPlace(step.place)}: ${printRule(step.rule)}`;
    case 'policy':
      return `${printPlace(step.place)}: policy DROP`;
    case 'route':
      return step.link === undefined
        ? `route: ${step.destination} is no address of this node`
        : `route: ${step.destination} is an address of ${step.link}`;
    case 'ipvs': {
      const { virtualServer } = step;
      return `${step.hook} ipvs: virtual server ${printVirtualServer(virtualServer)} ${virtualServer.scheduler}`;
    }
    case 'unknown':
      return `${printPlace(step.place)}: cannot judge ${step.reason}`;
  }
}

function printPlace({ hook, table, chain }: Place): string {
  return chain === hook ? `${hook} ${table}` : `${hook} ${table} ${chain}`;
}

/** What a rule does, by its comment and sets if it has any, else by its own words. */
function printRule(rule: SavedRule): string {
  const { target, matches } = rule;
  const sets = matches.flatMap((match) =>
    match.match === 'set' ? `in ${match.set} (${match.directions.join(',')})` : [],
  );
  const comment = commentOf(rule);
  const reasons = [...(comment === undefined ? [] : [`"${comment}"`]), ...sets];
  const words =
    reasons.length > 0 ? reasons.join(' ') : rule.text.replace(/^-A \S+ | ?-[jg] .*$/g, '');
  return `${words === '' ? 'everything' : words} → ${printTarget(target)}`;
}

function printTarget(target: SavedRule['target']): string {
  switch (target.target) {
    case 'jump':
    case 'goto':
      return target.chain;
    case 'MARK':
      return `mark ${target.operation} 0x${target.value.toString(16)}`;
    case 'setMark':
      return `mark 0x${target.value.toString(16)}/0x${target.mask.toString(16)}`;
    case 'none':
      return 'next rule';
    case 'DNAT':
      return target.port === undefined
        ? `to ${target.address}`
        : `to ${printHostPort(target.address, target.port)}`;
    case 'SNAT':
      return `as ${target.address}`;
    case 'unknown':
      return target.text;
    case 'RETURN':
    case 'ACCEPT':
    case 'DROP':
    case 'REJECT':
    case 'MASQUERADE':
      return target.target;
  }
}

function printVerdict(verdict: Verdict): readonly string[] {
  switch (verdict.kind) {
    case 'balanced':
      return printBalancing(verdict.balancing);
    case 'refused':
      return ['refused: no real server may be chosen', ...printDraining(verdict.balancing)];
    case 'node':
      return ['to the node’s own sockets, not balanced'];
    case 'forwarded':
      return [`forwarded, not balanced, ${printMasquerade(verdict)}`];
    case 'unknown':
      return ['what becomes of it is not known'];
    case 'dropped':
    case 'rejected':
      return [verdict.kind];
  }
}

function printBalancing(balancing: Balancing): readonly string[] {
  const { affinitySeconds, mayRefuse, choices } = balancing;
  return [
    ...(affinitySeconds > 0 ? [`a client stays at its real server for ${affinitySeconds} s`] : []),
    ...(mayRefuse === undefined ? [] : [mayRefuse]),
    ...choices.flatMap(printChoice),
    ...printDraining(balancing),
  ];
}

function printDraining({ draining }: Balancing): readonly string[] {
  return draining.map((realServer) => `not to ${printRealServer(realServer)}: weight 0`);
}

function printChoice({
  realServer,
  isOnNode,
  isHairpin,
  steps,
  ...choice
}: Choice): readonly string[] {
  const where = [
    `weight ${realServer.weight}`,
    ...(isOnNode ? ['on this node'] : []),
    ...(isHairpin ? ['the client itself'] : []),
  ].join(', ');
  const end = choice.fate === 'passed' ? printMasquerade(choice) : choice.fate;
  return [
    `to ${printRealServer(realServer)} (${where}): ${end}`,
    ...steps.map((step) => `  ${printStep(step)}`),
  ];
}

function printMasquerade({ masqueradedBy }: Pick<Choice, 'masqueradedBy'>): string {
  if (masqueradedBy === undefined) return 'with the client’s address';
  return `masqueraded by "${commentOf(masqueradedBy) ?? masqueradedBy.text}"`;
}
