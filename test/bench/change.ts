import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNamespace, measure, printSize, printTime, quantile, type Size, table } from './run.ts';
import { countCalls } from './strace.ts';

/** Changes of each kind that are timed, each of another Service, and that are counted. */
const timed = 300;
const counted = 3;

/** System calls that the budget allows for one change. */
const budget = 6;

/** How long single changes take. */
export function benchChanges(sizes: readonly Size[], folder: string): void {
  const results = sizes.map((size) =>
    inNamespace((namespace) =>
      measure<Record<string, number[]>>(namespace, 'changes', {
        folder,
        ...size,
        count: Math.min(timed, size.services),
      }),
    ),
  );
  console.log(
    `\n## One endpoint changes\n\nFrom the line of the watch to the last acknowledgement, median / p99 of ${timed}, or of as many as there are Services:\n`,
  );
  const kinds = Object.keys(results[0] ?? {});
  console.log(
    table(
      ['', ...sizes.map(printSize)],
      kinds.map((kind) => [
        kind,
        ...results.map((times) => {
          const values = times[kind] ?? [];
          return `${printTime(quantile(values, 0.5))} / ${printTime(quantile(values, 0.99))}`;
        }),
      ]),
    ),
  );
}

/** What a change sends. */
interface Counted {
  readonly kind: string;
  readonly messages: readonly string[];
}

/** What single changes cost in messages and system calls, which may not depend on the size. Returns what is wrong. */
export function benchCounts(sizes: readonly Size[], folder: string): readonly string[] {
  const hasStrace = spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0;
  if (!hasStrace) console.error('no strace here: system calls are not counted');
  const results = sizes.map((size) => countSize(size, { folder, hasStrace }));
  const kinds = [...(results[0]?.keys() ?? [])];
  console.log('\n## What one change costs, counted\n');
  console.log(
    table(
      ['netlink messages · system calls of the main thread', ...sizes.map(printSize)],
      kinds.map((kind) => [kind, ...results.map((result) => printCost(result.get(kind)))]),
    ),
  );
  console.log('');
  for (const kind of kinds)
    for (const [at, size] of sizes.entries())
      console.log(`- ${kind}, ${printSize(size)}: ${results[at]?.get(kind)?.details}`);
  return kinds.flatMap((kind) =>
    complaints(
      kind,
      results.map((result) => result.get(kind)),
    ),
  );
}

interface Cost {
  readonly messages: number;
  readonly calls: number | undefined;
  readonly processes: number;
  readonly details: string;
}

function countSize(
  size: Size,
  { folder, hasStrace }: { folder: string; hasStrace: boolean },
): ReadonlyMap<string, Cost> {
  const file = join(folder, 'strace');
  const under = hasStrace ? ['strace', '-f', '-q', '-e', 'signal=none', '-o', file] : [];
  const changes = inNamespace((namespace) =>
    measure<readonly Counted[]>(namespace, 'counts', { folder, ...size, count: counted, under }),
  );
  const calls = hasStrace ? countCalls(readFileSync(file, 'utf8')) : [];
  const costs = new Map<string, Cost>();
  for (const [at, { kind, messages }] of changes.entries()) {
    const window = calls[at];
    if (hasStrace && window?.kind !== kind)
      throw new Error(`system calls of ${window?.kind}, messages of ${kind}`);
    const cost = {
      messages: messages.length,
      calls: window?.names.length,
      processes: window?.processes ?? 0,
      details: `${tally(messages)}; ${tally(window?.names ?? [])}; beside them the runtime's own: ${tally(window?.runtime ?? [])}`,
    };
    const before = costs.get(kind);
    // The least counts: a long turn of the event loop makes room for others now and then, at any size.
    if (before === undefined || isLess(cost, before)) costs.set(kind, cost);
  }
  return costs;
}

function isLess(one: Cost, other: Cost): boolean {
  return (
    one.messages < other.messages ||
    (one.messages === other.messages && (one.calls ?? 0) < (other.calls ?? 0))
  );
}

function printCost(cost: Cost | undefined): string {
  if (cost === undefined) return '';
  const isOver = cost.calls !== undefined && cost.calls > budget;
  return `${cost.messages} · ${cost.calls ?? '?'}${isOver ? ' (over budget)' : ''}`;
}

/** `2 sendto, 1 recvfrom`. */
function tally(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ') || 'none';
}

function complaints(kind: string, costs: readonly (Cost | undefined)[]): readonly string[] {
  const [first, ...others] = costs;
  const grows = others.some(
    (cost) =>
      (cost?.messages ?? 0) > (first?.messages ?? 0) || (cost?.calls ?? 0) > (first?.calls ?? 0),
  );
  const starts = costs.some((cost) => (cost?.processes ?? 0) > 0);
  return [
    ...(grows ? [`${kind}: the cost grows with the cluster`] : []),
    ...(starts ? [`${kind}: a process is started`] : []),
  ];
}
