import { printHostPort } from '../ip/address.ts';
import { painter, plain, type Style } from '../terminal/terminal.ts';
import type {
  Report,
  ReportedBalancing,
  ReportedEntry,
  ReportedRealServer,
  ReportedStep,
} from './report.ts';
import type { WayBack } from './ways.ts';

/** How a report is printed. */
export interface PrintOptions {
  /** Whether escape sequences for colours are written. */
  readonly isColoured: boolean;
}

const answerStyles: Readonly<Record<Report['answer'], Style>> = {
  yes: 'green',
  'in part': 'yellow',
  no: 'red',
  unknown: 'yellow',
};

/** A report for a terminal: the packet, its steps in columns, and at the end the verdict. */
export function printReport(report: Report, { isColoured }: PrintOptions): string {
  const paint = painter({ isColoured });
  const lines = [
    paint('bold', printPacket(report)),
    ...report.assumptions.map((text) => paint('dim', `  assumed: ${plain(text)}`)),
    '',
    ...columns(report.steps, '  '),
    ...(report.balancing === null ? [] : balancingLines(report.balancing)),
    ...section('Entries of earlier packets between the same ends:', report.entries.map(printEntry)),
    ...differenceLines(report),
    ...section('Not understood, and may decide otherwise:', report.notUnderstood),
    ...section('The kube-proxy of this node says:', report.proxy ?? []),
    '',
    paint(answerStyles[report.answer], plain(report.verdict)),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function printPacket({ packet, service }: Report): string {
  const { protocol, source, sourcePort, destination, port, device } = packet;
  const from = sourcePort === null ? source : printHostPort(source, sourcePort);
  const by = device === null ? 'from the node' : `in by ${device}`;
  const of = service === null ? '' : `, Service ${service}`;
  return plain(`${protocol} ${from} → ${printHostPort(destination, port)} ${by}${of}`);
}

/** The steps with hook and table in columns of their own. */
function columns(steps: readonly ReportedStep[], indent: string): readonly string[] {
  return steps.map((step) => {
    const { hook = '', table = '' } = step;
    const first = step.route === undefined ? hook : 'route';
    return plain(`${indent}${first.padEnd(12)} ${table.padEnd(8)} ${whatOf(step)}`);
  });
}

function whatOf({ rule, policy, route, virtualServer, unknown, chain }: ReportedStep): string {
  if (rule !== undefined) return rule;
  if (policy !== undefined) return `policy of ${chain}: ${policy}`;
  if (virtualServer !== undefined) return `virtual server ${virtualServer}`;
  if (unknown !== undefined) return `cannot be judged: ${unknown}`;
  return route ?? '';
}

const waysBack: Readonly<Record<WayBack, string>> = {
  masqueraded: 'answers come back to this node',
  here: 'answers come back through this node',
  direct: 'answers pass this node by, unless the network leads them here',
  bridged: 'answers go over the bridge past IPVS',
};

function balancingLines(balancing: ReportedBalancing): readonly string[] {
  const { affinitySeconds, mayRefuse, realServers, draining } = balancing;
  const notes = [
    ...(affinitySeconds > 0 ? [`a client stays at its real server for ${affinitySeconds} s`] : []),
    ...(mayRefuse === null ? [] : [mayRefuse]),
    ...draining.map((name) => `not to ${name}: weight 0`),
  ];
  return [...realServers.flatMap(realServerLines), ...notes.map((note) => plain(`  ${note}`))];
}

function realServerLines(realServer: ReportedRealServer): readonly string[] {
  const { address, port, weight, fate, isOnNode, isClient, sees, wayBack, steps } = realServer;
  const traits = [
    `weight ${weight}`,
    ...(isOnNode ? ['an address of this node'] : []),
    ...(isClient ? ['the client itself'] : []),
  ].join(', ');
  const end =
    fate !== 'passed' || wayBack === null
      ? fate
      : `sees ${sees ?? 'an address of this node'}; ${waysBack[wayBack]}`;
  return [
    plain(`  → ${printHostPort(address, port)} (${traits}): ${end}`),
    ...columns(steps, '    '),
  ];
}

const entryNames: Readonly<Record<ReportedEntry['kind'], string>> = {
  conntrack: 'conntrack',
  ipvs: 'IPVS connection',
  persistence: 'IPVS persistence',
};

function printEntry({ kind, sourcePort, target, state, stale }: ReportedEntry): string {
  const from = sourcePort === 0 ? 'new connections' : `source port ${sourcePort}`;
  const to = target === null ? 'not translated' : `to ${target}`;
  const suffix = stale === null ? '' : `: ${stale}`;
  return `${entryNames[kind]}: ${from} ${to}${state === '' ? '' : ` (${state})`}${suffix}`;
}

function differenceLines({ differences }: Report): readonly string[] {
  if (differences === null) return [];
  const { list, isFaringAsItShould } = differences;
  const effect = isFaringAsItShould ? ', without effect on this packet' : '';
  return section(
    `Otherwise than it should be${effect}:`,
    list.map(({ text }) => text),
  );
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => plain(`  ${line}`))];
}
