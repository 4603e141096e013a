import { printRatio, printTime, type Size, table } from '../run.ts';
import type { Measured } from './work.ts';

/** The kinds of work, in the order in which they are reported. */
export const kinds = [
  'first-sync',
  'restart',
  'change',
  'endpoint-churn',
  'service-churn',
  'audit',
  'recreate',
] as const;
/** One of {@link kinds}. */
export type Kind = (typeof kinds)[number];

/** What one kind of work cost at one size: the run with the median wall time. */
export interface Result extends Measured {
  readonly kind: Kind;
  readonly size: string;
  readonly vipBinding: 'address' | 'route';
  readonly runs: number;
  /** Milliseconds of the same messages from C, for the kinds that have such a floor. */
  readonly floor?: number;
  /** Milliseconds that other programs take, each for its part of the same state. */
  readonly others?: Readonly<Record<string, number>>;
}

/** Everything that was measured in one run, with where that was. */
export interface Report {
  readonly machine: string;
  readonly results: readonly Result[];
}

/** The size of a cluster, as an option gives it and as a report names it: `1000x10`. */
export function parseSize(text: string): Size {
  const [, services = '', endpoints = ''] = /^(\d+)x(\d+)$/.exec(text) ?? [];
  if (services === '') throw new Error(`not a size such as 1000x10: ${text}`);
  return { services: Number(services), endpoints: Number(endpoints) };
}

const mebi = 2 ** 20;

/** The report in Markdown: a table for each size. */
export function printReport({ machine, results }: Report): string {
  const sizes = [...new Set(results.map(({ size }) => size))];
  const tables = sizes.map((size) => {
    const some = results.filter((result) => result.size === size);
    const rows = some.map((result) => [
      result.kind,
      printTime(result.wall),
      result.floor === undefined ? '–' : printRatio(withoutRules(result), result.floor),
      printTime(result.cpu),
      result.each ? `${printTime(result.each.p50)} / ${printTime(result.each.p99)}` : '–',
      String(Math.round(result.messages)),
      String(Math.round(result.calls)),
      printTime(result.inCalls),
      [result.delay.p50, result.delay.p99, result.delay.max].map(printTime).join(' / '),
      (result.allocated / mebi).toFixed(1),
      (result.peak / mebi).toFixed(0),
      (result.resting / mebi).toFixed(0),
    ]);
    const [first] = some;
    const beside = some.flatMap(printOthers);
    const again = some.flatMap(printAdding);
    return [
      `### ${size}, VIPs by ${first?.vipBinding}, ${first?.runs} runs`,
      '',
      table(head, rows),
      ...(beside.length > 0
        ? ['', `Parts of the same state by other programs: ${beside.join(', ')}.`]
        : []),
      ...(again.length > 0 ? ['', ...again] : []),
    ].join('\n');
  });
  return [`${machine}.`, ...tables].join('\n\n');
}

const head = [
  '',
  'wall time',
  'of the floor',
  'CPU',
  'each, median / p99',
  'messages',
  'calls',
  'in them',
  'event loop late, p50 / p99 / max',
  'MiB allocated',
  'MiB at most',
  'MiB at rest',
];

/** Each of the other programs beside the work that makes all of the state. */
function printOthers(result: Result): readonly string[] {
  const ours = withoutRules(result);
  return Object.entries(result.others ?? {}).map(
    ([name, time]) => `${name} ${printTime(time)} (${printRatio(time, ours)} ours)`,
  );
}

function printAdding({ adding }: Result): readonly string[] {
  if (adding === undefined) return [];
  const { first, again } = adding;
  return [
    `Writing the servers again that were deleted: ${printTime(again)}, ${printRatio(again, first)} the first writing of them.`,
  ];
}

/** Other programs write the rules; the floor has none. */
function withoutRules({ wall, rules = 0 }: Result): number {
  return wall - rules;
}

/** How much a ratio may grow. */
const tolerance = 1.3;

/**
 * What got worse since another report, a line each. Only what does not depend on the machine is compared: ratios to the floor of the same
 * run, counts, and the cost at one size in relation to the cost at the smallest one. Two reports that have no figure in common are a
 * complaint, too.
 */
export function regressions(now: Report, before: Report): readonly string[] {
  const last = figuresOf(before);
  const complaints: string[] = [];
  let compared = 0;
  for (const [name, value] of figuresOf(now)) {
    const known = last.get(name);
    if (known === undefined) continue;
    compared++;
    if (value > known * tolerance)
      complaints.push(`${name}: ${value.toFixed(2)}, was ${known.toFixed(2)}`);
  }
  return compared === 0 ? ['nothing was measured that the other report has'] : complaints;
}

function figuresOf({ results }: Report): ReadonlyMap<string, number> {
  const figures = new Map<string, number>();
  for (const result of results) {
    const { kind, size, vipBinding, floor, messages, calls, cpu, adding } = result;
    const name = `${kind} at ${size}, VIPs by ${vipBinding}`;
    if (floor !== undefined) figures.set(`${name}, of the floor`, withoutRules(result) / floor);
    if (adding !== undefined)
      figures.set(`${name}, of the first writing`, adding.again / adding.first);
    figures.set(`${name}, messages`, messages);
    figures.set(`${name}, calls`, calls);
    const smallest = smallestOf(results, result);
    if (smallest !== result)
      figures.set(`${name}, CPU by that at ${smallest.size}`, cpu / smallest.cpu);
  }
  return figures;
}

/** The same kind of work at the smallest size. */
function smallestOf(results: readonly Result[], { kind, vipBinding }: Result): Result {
  const alike = results.filter((other) => other.kind === kind && other.vipBinding === vipBinding);
  return alike.reduce((one, other) => (endpointsIn(other) < endpointsIn(one) ? other : one));
}

function endpointsIn({ size }: Result): number {
  const { services, endpoints } = parseSize(size);
  return services * endpoints;
}
