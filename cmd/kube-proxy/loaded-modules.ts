import { existsSync, readFileSync } from 'node:fs';

/** The files that say which modules a kernel has. */
export interface ModuleFiles {
  /** `/sys/module`. */
  readonly loaded: string;
  /** `/proc/modules`; a kernel without it loads no modules. */
  readonly list: string;
  /** `/lib/modules/RELEASE/modules.builtin`. */
  readonly builtIn: string;
}

/**
 * Whether a kernel has a module, loaded or built in, so that asking for what it does loads nothing. Where the list of the built-in ones
 * is not there, one that is not loaded counts as missing only if the kernel loads modules at all.
 */
export function hasModule(name: string, { loaded, list, builtIn }: ModuleFiles): boolean {
  if (existsSync(`${loaded}/${name}`) || !existsSync(list)) return true;
  try {
    return readFileSync(builtIn, 'utf8').includes(`/${name}.ko`);
  } catch {
    return false;
  }
}
