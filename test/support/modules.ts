import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { run } from './namespace.ts';

/** Unloads a module and all that stand on it. Waits for namespaces that were removed: they hold on to some for a while. */
export async function unloadModule(name: string): Promise<void> {
  const unload = () => run('modprobe', '-r', '--remove-holders', name);
  await expect.poll(unload, { interval: 200 }).toBe('');
}

/** The program that the kernel starts to load a module that is only asked for. */
const helper = '/proc/sys/kernel/modprobe';

/** From now on the kernel loads no module by itself. Returns the way back. */
export function stopAutoloading(): () => void {
  const before = readFileSync(helper, 'utf8');
  writeFileSync(helper, '/bin/false');
  return () => writeFileSync(helper, before);
}
