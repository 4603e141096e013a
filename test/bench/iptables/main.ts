/**
 * IPVS against the other modes, on one machine: `npm run bench:iptables -- [--services 1,100] [--endpoints 2,10] [--runs 5]
 * [--modes ipvs,none] [--connections 1000] [--seconds 5] [--limit 600] [--without-estimation] [--results FILE]`. Appends to a file of
 * results, and writes tables and plots of the whole file into `docs/`. With `--report` it does only the latter. `docs/benchmarks.md` says
 * more.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { inFolder, printSize, type Size } from '../run.ts';
import { describeEnvironment } from './environment.ts';
import { measureMode } from './measure.ts';
import { writeReport } from './report-files.ts';
import { header, type ModeName, modeNames, printEnvironment, printRow } from './results.ts';
import { compileLoad } from './stand.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '1,100,500,1000,5000,10000,20000' },
    endpoints: { type: 'string', default: '2,10' },
    runs: { type: 'string', default: '5' },
    modes: { type: 'string', default: modeNames.join(',') },
    connections: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '5' },
    limit: { type: 'string', default: '600' },
    results: { type: 'string', default: join(import.meta.dirname, 'results.csv') },
    // As `--ipvs-estimation=off`. For a file of results of its own, as they do not say it.
    'without-estimation': { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
  },
});

const top = resolve(import.meta.dirname, '../../..');
const where = process.env['KERNEL_WHERE'];
if (values.report) writeReport({ top, results: values.results });
else if (where === undefined) process.exitCode = startWithKernel();
else await measureAll(join(process.env['KERNEL_SHARE'] ?? '.', 'iptables.csv'));

/** Starts this program where the kernel has IPVS; what it wrote there is appended to the results here, and reported. Its status. */
function startWithKernel(): number {
  const share = process.env['KERNEL_SHARE'] ?? join(top, '.cache/kernel/share');
  const written = join(share, 'iptables.csv');
  takeOver(written); // of an invocation that was cut off
  const script = join(import.meta.dirname, 'main.ts');
  const words = ['hack/run', 'node', script, ...process.argv.slice(2)];
  const { status } = spawnSync(join(top, 'hack/with-kernel.sh'), words, {
    cwd: top,
    stdio: 'inherit',
    env: { KERNEL_VM_TIMEOUT: '172800', ...process.env, KERNEL_SHARE: share },
  });
  takeOver(written);
  // What was measured before it was cut off counts, too.
  if (existsSync(values.results)) writeReport({ top, results: values.results });
  return status ?? 1;
}

function takeOver(written: string): void {
  if (!existsSync(written)) return;
  if (!existsSync(values.results)) appendFileSync(values.results, header);
  appendFileSync(values.results, readFileSync(written));
  rmSync(written);
}

async function measureAll(file: string): Promise<void> {
  const chosen = values.modes.split(',').map(modeOf);
  const givenUp = new Set<string>();
  appendFileSync(file, printEnvironment(`${describeEnvironment()}; limit ${values.limit} s`));
  await inFolder(async (folder) => {
    const load = compileLoad(folder);
    for (const size of sizes()) {
      for (let run = 1; run <= Number(values.runs); run++) {
        // In turns, and each time another one first.
        const turned = [
          ...chosen.slice(run % chosen.length),
          ...chosen.slice(0, run % chosen.length),
        ];
        for (const mode of turned) {
          // One that ran out of time in one run is not asked again.
          if (givenUp.has(`${mode} ${printSize(size)}`) || (mode === 'none' && size.endpoints > 2))
            continue;
          console.error(`run ${run}, ${printSize(size)}, ${mode}`);
          const outcome = await measureMode({
            ...size,
            mode,
            folder,
            load,
            limit: Number(values.limit) * 1000,
            hasTraffic: size.endpoints === 2,
            hasEstimation: !values['without-estimation'],
            connections: Number(values.connections),
            seconds: Number(values.seconds),
            report: (measure, value) =>
              appendFileSync(file, printRow({ run, mode, ...size, measure, value })),
          });
          if (outcome === 'timeout') givenUp.add(`${mode} ${printSize(size)}`);
        }
      }
    }
  });
}

function modeOf(word: string): ModeName {
  const mode = modeNames.find((name) => name === word);
  if (mode === undefined) throw new Error(`--modes takes ${modeNames.join(', ')}`);
  return mode;
}

/** Packets are measured with two endpoints; with more only what it takes to write them, and up to 5,000 Services. */
function sizes(): readonly Size[] {
  return values.endpoints
    .split(',')
    .map(Number)
    .flatMap((endpoints) =>
      values.services
        .split(',')
        .map((services) => ({ services: Number(services), endpoints }))
        .filter(({ services }) => endpoints === 2 || services <= 5_000),
    );
}
