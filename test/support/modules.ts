import { expect } from 'vitest';
import { run } from './namespace.ts';

/** Unloads a module and all that stand on it. Waits for namespaces that were removed: they hold on to some for a while. */
export async function unloadModule(name: string): Promise<void> {
  const unload = () => run('modprobe', '-r', '--remove-holders', name);
  await expect.poll(unload, { interval: 200 }).toBe('');
}
