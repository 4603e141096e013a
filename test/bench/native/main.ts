/**
 * The program as a process without the virtual machine, on a kernel that has no IPVS: sets and rules are the kernel's, virtual servers
 * and devices are kept in memory, after their messages were made. Tells its memory at rest, and how long it takes from the start of
 * the process to the first write (the device) and to the end of the first sync. Needs root and what `ip netns` and iptables need:
 * `hack/run node test/bench/native/main.ts [services[xendpoints]] [rounds] [--flag-of-node]…`, by default `1000x10 3`; without
 * endpoints it is 10 of each Service.
 */
import { join, relative } from 'node:path';
import type { Plugin } from 'esbuild';
import { bundle, copyKoffi } from '../../../hack/bundle.ts';
import { parseSize } from '../growth/results.ts';
import { nothing, printObjects, printRun, printRuns, type Run, runProgram } from '../program.ts';
import { inFolder, printTime, type Size } from '../run.ts';

const words = process.argv.slice(2);
const nodeFlags = words.filter((word) => word.startsWith('--'));
const [sizeWord = '1000', roundsWord = '3'] = words.filter((word) => !word.startsWith('--'));
const measured = parseSize(sizeWord.includes('x') ? sizeWord : `${sizeWord}x10`);
const rounds = Number(roundsWord);

/** What the program opens in place of IPVS, of devices (a kernel without IPVS may have no dummy ones) and of the settings of IPVS. */
const standIns: Readonly<Record<string, string>> = {
  ipvs: 'ipvs.ts',
  links: 'links.ts',
  sysctl: 'sysctl.ts',
};

const standIn: Plugin = {
  name: 'stand-in-for-ipvs',
  setup(builder) {
    const filter = /\/(?:ipvs\/netlink|links\/netlink|sysctl\/proc)\.ts$/;
    builder.onResolve({ filter }, ({ importer, path }) => {
      const file = standIns[path.split('/').at(-2) ?? ''] ?? '';
      const isReplaced = importer.endsWith('/open-kernel.ts');
      return isReplaced ? { path: join(import.meta.dirname, file) } : undefined;
    });
  },
};

await inFolder(async (folder) => {
  const file = join(folder, 'kube-proxy.mjs');
  await bundle('cmd/kube-proxy/main.ts', file, { more: [standIn] });
  copyKoffi(folder);
  const sizes: readonly Size[] = [nothing, measured];
  const rows: string[][] = [];
  const summary: string[] = [];
  for (const size of sizes) {
    const runs: Run[] = [];
    for (let round = 0; round < rounds; round++) {
      const run = await runProgram({
        file: relative('.', file),
        source: 'api',
        size,
        folder,
        nodeFlags,
        saysFirstWrite: true,
      });
      runs.push(run);
      rows.push([printObjects(size), ...printRun(run)]);
    }
    summary.push(printLeast(size, runs));
  }
  printRuns(rows);
  console.log(`\n${summary.join('\n')}`);
});

/** The first write beside what the machine makes of a process that does nothing: the least of all runs, which others disturbed least. */
function printLeast(size: Size, runs: readonly Run[]): string {
  const firstWrite = Math.min(...runs.map((run) => run.firstWrite));
  const empty = Math.min(...runs.map((run) => run.emptyProcess));
  return `${printObjects(size)}: first write after ${printTime(firstWrite)}, ${(firstWrite / empty).toFixed(1)} × an empty process (${printTime(empty)})`;
}
