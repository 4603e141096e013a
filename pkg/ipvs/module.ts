import { spawnSync } from 'node:child_process';

/** Runs modprobe for a kernel module. The caller checks the result, as the module may be built in, or modprobe missing. */
export function loadModule(name: string): void {
  spawnSync('modprobe', ['-va', name], { stdio: 'ignore', timeout: 30_000 });
}
