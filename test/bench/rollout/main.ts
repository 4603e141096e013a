import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mode, modes, type Result, run } from './scenario.ts';
import { print } from './table.ts';

// Rolling updates under load, once for each scheduler and each way to end drains; see docs/graceful-termination.md.

const wanted = (process.env['BENCH_ROLLOUT_MODES']?.split(',') ?? Object.keys(modes)) as Mode[];
const schedulers = process.env['BENCH_ROLLOUT_SCHEDULERS']?.split(',') ?? ['rr', 'lc', 'sh', 'mh'];
const results: Result[] = [];
for (const mode of wanted) {
  for (const scheduler of schedulers) {
    results.push(await run(mode, scheduler));
    console.log(print(results.slice(-1)));
  }
}
const share = process.env['KERNEL_SHARE'];
if (share !== undefined) {
  mkdirSync(share, { recursive: true });
  writeFileSync(join(share, 'rollout.md'), `${print(results)}\n`);
}
