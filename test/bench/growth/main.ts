/**
 * What each kind of work costs as the cluster grows: `npm run bench:growth -- [--size 1000x10]… [--only KIND]… [--runs N] [--route]
 * [--json FILE] [--flame-graph FOLDER] [--compare] [--against FILE]`. Prints Markdown. `--json` also writes the figures to a file.
 * `--flame-graph` draws `KIND-SIZE.svg` in a folder: where the time goes; all figures are those of profiled processes then. `--compare` fails if a ratio
 * or a count is 30 % above that of `results.json` in this folder, `--against` the same with another file. `docs/performance.md` says what
 * the figures mean.
 */
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Namespace } from '../../support/namespace.ts';
import { bundled } from '../../support/program.ts';
import {
  inFolder,
  inNamespace,
  measure,
  output,
  prepareFloor,
  prepareMeasurements,
} from '../run.ts';
import { comparedFile, readReport } from './baseline.ts';
import { restoredByOthers } from './others.ts';
import {
  type Kind,
  kinds,
  parseSize,
  printReport,
  type Report,
  type Result,
  regressions,
} from './results.ts';
import type { Measured } from './work.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', multiple: true, default: ['1000x10', '10000x10', '1x10000'] },
    only: { type: 'string', multiple: true, default: [...kinds] },
    runs: { type: 'string', default: '3' },
    route: { type: 'boolean', default: false },
    json: { type: 'string' },
    'flame-graph': { type: 'string' },
    compare: { type: 'boolean', default: false },
    against: { type: 'string' },
  },
});
const chosen = values.only.map((name) => {
  const kind = kinds.find((known) => known === name);
  if (kind === undefined) throw new Error(`--only takes ${kinds.join(', ')}`);
  return kind;
});
const folderOfDrawings = values['flame-graph'];
const runs = Number(values.runs);
const vipBinding = values.route ? 'route' : 'address';
const compared = comparedFile(values);
// Read before anything is measured, so that one that is missing is told at once.
const before = compared === undefined ? undefined : readReport(compared);

/** How often each kind does what it does: changes, or audits. A minute of churn has 6,000 changes. */
const counts: Readonly<Record<Kind, number>> = {
  'first-sync': 1,
  restart: 1,
  change: 400,
  'endpoint-churn': 6_000,
  'service-churn': 6_000,
  audit: 5,
  recreate: 1,
};

await inFolder(async (folder) => {
  await prepareMeasurements();
  const worker = await bundled('test/bench/growth/work.ts');
  const floorOf = prepareFloor(folder);
  const results: Result[] = [];
  for (const size of values.size) {
    const { services, endpoints } = parseSize(size);
    const run = (kind: Kind, namespace: Namespace) => {
      const numbers = [services, endpoints, vipBinding, counts[kind]].map(String);
      const command = [process.execPath, '--expose-gc', '--max-semi-space-size=4', worker];
      const drawing =
        folderOfDrawings === undefined ? [] : [join(folderOfDrawings, `${kind}-${size}.svg`)];
      return JSON.parse(output(namespace, [...command, kind, ...numbers, ...drawing])) as Measured;
    };
    const floors: Floor[] = [];
    if (chosen.some(hasFloor)) {
      inNamespace((namespace) =>
        measure(namespace, 'record', { folder, services, endpoints, vipBinding }),
      );
      for (let turn = 0; turn < runs; turn++)
        floors.push(inNamespace((namespace) => floorOf(namespace, { services, endpoints })));
    }
    const byOthers = (namespace: Namespace) => {
      run('first-sync', namespace);
      return restoredByOthers(namespace, folder);
    };
    for (const kind of chosen) {
      const each = Array.from({ length: runs }, () =>
        inNamespace((namespace) => {
          if (kind === 'restart') run('first-sync', namespace);
          return run(kind, namespace);
        }),
      );
      const middle = each.toSorted((one, other) => one.wall - other.wall)[runs >> 1];
      if (middle === undefined) throw new Error('--runs must be 1 or more');
      const floor = middleFloor(kind, floors);
      results.push({
        ...middle,
        kind,
        size,
        vipBinding,
        runs,
        ...(floor !== undefined && { floor }),
        ...(kind === 'first-sync' && { others: inNamespace(byOthers) }),
      });
      console.error(`${kind} at ${size}: ${Math.round(middle.wall)} ms`);
    }
  }
  const processor = cpus()[0]?.model ?? 'unknown processor';
  const where =
    process.env['KERNEL_WHERE'] === 'vm' ? 'a virtual machine in software emulation' : 'natively';
  const machine = `Linux ${release()}, Node ${process.version}, ${cpus().length} CPUs (${processor}), ${where}`;
  finish({ machine, results });
});

type Floor = ReturnType<ReturnType<typeof prepareFloor>>;

/** Whether a kind of work sends the same messages whenever it is done. */
function hasFloor(kind: Kind): boolean {
  return kind === 'first-sync' || kind === 'restart' || kind === 'audit';
}

/** The median of the floor that a kind of work has; `undefined` if it has none. */
function middleFloor(kind: Kind, floors: readonly Floor[]): number | undefined {
  if (!hasFloor(kind)) return undefined;
  const times = floors.map((floor) => {
    if (kind === 'audit' || kind === 'restart') return floor.audit;
    return floor.ipset + floor.ipvs + floor.addresses;
  });
  return times.toSorted((one, other) => one - other)[runs >> 1];
}

function finish(report: Report): void {
  console.log(printReport(report));
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (before === undefined) return;
  const complaints = regressions(report, before);
  for (const complaint of complaints) console.error(`WORSE: ${complaint}`);
  if (complaints.length > 0) process.exitCode = 1;
}
