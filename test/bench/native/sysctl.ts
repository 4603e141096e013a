import { ProcSysctl as RealSysctl } from '../../../pkg/sysctl/proc.ts';

/** Settings that only a kernel with IPVS has, kept in memory; all others are the kernel's. Takes the place of `pkg/sysctl/proc.ts`. */
export class ProcSysctl extends RealSysctl {
  readonly #kept = new Map<string, string>();

  override read(path: string): string | undefined {
    return isOfIpvs(path) ? (this.#kept.get(path) ?? '0') : super.read(path);
  }

  override write(path: string, value: string): void {
    if (isOfIpvs(path)) this.#kept.set(path, value);
    else super.write(path, value);
  }
}

function isOfIpvs(path: string): boolean {
  return path.startsWith('net/ipv4/vs/');
}
