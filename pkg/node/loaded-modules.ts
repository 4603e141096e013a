import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the machine's files are; `/` but in tests. */
export interface ModuleOptions {
  readonly root?: string;
  /** `uname -r`. */
  readonly release: string;
}

/**
 * Whether the kernel can be asked about a module's objects without loading it: it is loaded or built in, or the kernel loads none. A
 * built-in one without parameters is not below /sys/module, and is looked up in /lib/modules; if there is no such list, it counts as
 * not loaded.
 */
export function isModuleLoaded(name: string, { root = '/', release }: ModuleOptions): boolean {
  const loadsNone = !existsSync(join(root, 'proc/modules'));
  if (loadsNone || existsSync(join(root, 'sys/module', name))) return true;
  try {
    const builtin = readFileSync(join(root, 'lib/modules', release, 'modules.builtin'), 'utf8');
    return builtin.split('\n').some((line) => moduleOf(line) === name);
  } catch {
    return false;
  }
}

/** `nf_tables` of `kernel/net/netfilter/nf-tables.ko`. */
function moduleOf(line: string): string {
  const file = line.slice(line.lastIndexOf('/') + 1);
  return file.replace(/[.]ko.*$/, '').replaceAll('-', '_');
}
