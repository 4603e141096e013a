import type { Result } from './scenario.ts';

const head = [
  'drains',
  'scheduler',
  'load',
  'ok',
  'failed',
  'refused',
  'reset',
  'timeout',
  'unreachable',
  'from gone',
  'longest gap, ms',
];
const streamHead = [
  'drains',
  'scheduler',
  'streams',
  'reset',
  'silent',
  'harmed',
  'longest until reset, ms',
];
const connectionHead = ['drains', 'scheduler', 'connections opened to pods that were gone'];

function printTable(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  return [columns, columns.map(() => '---'), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

/** Three tables: of requests, of streams, and of connections to pods that were gone. */
export function print(results: readonly Result[]): string {
  const requests = results.flatMap(({ mode, scheduler, tallies }) =>
    tallies.map(({ name, ok, failed, failures, fromGone, longestGap }) => {
      const { refused, reset, timeout, unreachable } = failures;
      return [
        mode,
        scheduler,
        name,
        ok,
        failed,
        refused,
        reset,
        timeout,
        unreachable,
        fromGone,
        Math.round(longestGap),
      ];
    }),
  );
  const ends = results.flatMap(({ mode, scheduler, waiting, talking, flapping, lost }) => {
    const kinds = {
      'that only wait': waiting,
      'that talk': talking,
      'while readiness flaps': flapping,
      'to a lost machine': lost,
    };
    return Object.entries(kinds).flatMap(([name, tally]) =>
      tally === undefined
        ? []
        : [
            [
              mode,
              scheduler,
              name,
              tally.reset,
              tally.silent,
              tally.harmed,
              Math.round(tally.slowest),
            ],
          ],
    );
  });
  const toGone = results.map(({ mode, scheduler, opened }) => [mode, scheduler, opened]);
  return [
    printTable(head, requests),
    printTable(streamHead, ends),
    printTable(connectionHead, toGone),
  ].join('\n\n');
}
