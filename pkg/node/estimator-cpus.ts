import type { Sysctl } from '../sysctl/sysctl.ts';
import { type Cpus, parseCpuList, printCpuList } from './cpu-list.ts';

/** Where CPUs are described. */
export interface CpuSources {
  /** Below /proc/self. */
  readonly process: Pick<Sysctl, 'read'>;
  /** Below /sys. */
  readonly sysfs: Pick<Sysctl, 'read'>;
}

/**
 * The CPUs that the kernel's estimator may use, as a list: those that this process may use, without those that the machine keeps
 * free (`isolcpus`, `nohz_full`). Where kubelet gives pods CPUs of their own, this process is kept off these, and the estimator with
 * it. `undefined` if they cannot be told, or if there are none.
 */
export function estimatorCpus({ process, sysfs }: CpuSources): string | undefined {
  const own = /^Cpus_allowed_list:\s*(\S+)$/m.exec(attempt(process, 'status') ?? '')?.[1];
  const allowed = own === undefined ? undefined : parseCpuList(own);
  if (allowed === undefined) return undefined;
  const kept = ['isolated', 'nohz_full'].map((name) => keptFree(sysfs, name));
  const cpus = new Set([...allowed].filter((cpu) => !kept.some((some) => some.has(cpu))));
  return cpus.size === 0 ? undefined : printCpuList(cpus);
}

/** Kernels without isolation have an empty list, or none. */
function keptFree(sysfs: CpuSources['sysfs'], name: string): Cpus {
  return parseCpuList(attempt(sysfs, `devices/system/cpu/${name}`) ?? '') ?? new Set();
}

function attempt(files: Pick<Sysctl, 'read'>, path: string): string | undefined {
  try {
    return files.read(path);
  } catch {
    return undefined;
  }
}
