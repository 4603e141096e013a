import {
  type Floor,
  inNamespace,
  measure,
  median,
  type prepareFloor,
  printRatio,
  printSize,
  printTime,
  type Size,
  table,
} from './run.ts';
import { type Lap, type Part, parts } from './stopwatch.ts';

/** What `measure.ts first-sync` prints. */
interface FirstSync {
  readonly taking: number;
  readonly total: number;
  readonly laps: Readonly<Record<Part, Lap>>;
  readonly delay: { readonly p99: number; readonly max: number };
  readonly processes: number;
  readonly state: string;
}

interface Round {
  readonly floor: Floor & { readonly rules: number };
  readonly sync: FirstSync;
}

interface Options {
  readonly folder: string;
  readonly floor: ReturnType<typeof prepareFloor>;
  readonly rounds: (size: Size) => number;
}

/** First syncs and their floors in turns, each in a fresh namespace. Returns what is wrong. */
export function benchFirstSync(sizes: readonly Size[], options: Options): readonly string[] {
  const results = sizes.map((size) => ({ size, rounds: runRounds(size, options) }));
  console.log('\n## First sync\n');
  for (const { size, rounds } of results) console.log(`${printParts(size, rounds)}\n`);
  console.log(
    table(
      ['event loop during it', 'delay p99', 'longest'],
      results.map(({ size, rounds }) => [
        printSize(size),
        ...(['p99', 'max'] as const).map((name) =>
          printTime(median(rounds.map(({ sync }) => sync.delay[name]))),
        ),
      ]),
    ),
  );
  return results.flatMap(({ size, rounds }) =>
    rounds.every(({ sync, floor }) => sync.state === floor.state)
      ? []
      : [`${printSize(size)}: the kernel holds something else than after the floor`],
  );
}

function runRounds(
  size: Size,
  { folder, floor, rounds }: Options,
): readonly (Round & { floor: { state: string } })[] {
  inNamespace((namespace) => measure(namespace, 'record', { folder, ...size }));
  return Array.from({ length: rounds(size) }, () => {
    const sync = inNamespace((namespace) =>
      measure<FirstSync>(namespace, 'first-sync', { folder, ...size }),
    );
    return inNamespace((namespace) => {
      const played = floor(namespace, size);
      const rules = measure<{ milliseconds: number; state: string }>(namespace, 'rules', {
        folder,
        ...size,
      });
      return { sync, floor: { ...played, rules: rules.milliseconds, state: rules.state } };
    });
  });
}

function printParts(size: Size, rounds: readonly Round[]): string {
  const mid = (value: (round: Round) => number) => median(rounds.map(value));
  const rows = parts.map((part) => {
    const floor = mid((round) => round.floor[part]);
    const writing = mid(({ sync }) => sync.laps[part].writing);
    const reading = mid(({ sync }) => sync.laps[part].reading);
    return [
      part,
      printTime(floor),
      printTime(writing),
      printRatio(writing, floor),
      printTime(reading),
    ];
  });
  const own = mid(({ sync }) => sync.total - sum(sync, parts));
  const netlink = ['ipvs', 'ipset', 'addresses'] as const;
  const floorOfNetlink = mid(({ floor }) => floor.ipvs + floor.ipset + floor.addresses);
  const withoutRules = mid(({ sync }) => sync.total - sum(sync, ['rules']));
  const total = mid(({ sync }) => sync.total);
  const floorOfAll = mid(({ floor }) =>
    netlink.reduce((all, part) => all + floor[part], floor.rules),
  );
  const [first] = rounds;
  return table(
    [printSize(size), 'floor', 'writing', 'ratio', 'reading'],
    [
      ...rows,
      ['what to do: ledger, plan, mirror', '', printTime(own), '', ''],
      [
        '**all but rules**',
        printTime(floorOfNetlink),
        printTime(withoutRules),
        printRatio(withoutRules, floorOfNetlink),
        '',
      ],
      [
        `**all**, ${first?.sync.processes} processes`,
        printTime(floorOfAll),
        printTime(total),
        printRatio(total, floorOfAll),
        '',
      ],
      ['taking the objects in, before', '', printTime(mid(({ sync }) => sync.taking)), '', ''],
    ],
  );
}

function sum({ laps }: FirstSync, some: readonly Part[]): number {
  return some.reduce((all, part) => all + laps[part].reading + laps[part].writing, 0);
}
