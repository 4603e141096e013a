import { spawnSync } from 'node:child_process';

/** Asks modprobe for a kernel module. Whether it helped is for the caller to find out: the module may be built in, or modprobe missing. */
export function loadModule(name: string): void {
  spawnSync('modprobe', ['-va', name], { stdio: 'ignore', timeout: 30_000 });
}
