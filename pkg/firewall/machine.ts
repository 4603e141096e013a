import { readFile } from 'node:fs/promises';
import { KernelError } from '../errno/errno.ts';
import { hasProgram, type Machine } from './iptables.ts';
import { runProcess } from './process.ts';

/** The machine that this program runs on. */
export const thisMachine: Machine = {
  run: runProcess,
  hasProgram,
  async legacyTables(family) {
    const names = family === 'IPv4' ? 'ip_tables_names' : 'ip6_tables_names';
    try {
      const text = await readFile(`/proc/net/${names}`, 'utf8');
      return text.split('\n').filter((name) => name !== '');
    } catch (cause) {
      // Without the module there is no file, and there are no tables.
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new KernelError(`read /proc/net/${names}`, 'EIO', { cause });
    }
  },
};
