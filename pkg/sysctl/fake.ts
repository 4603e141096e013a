import { KernelError } from '../errno/errno.ts';
import type { Sysctl } from './sysctl.ts';

/** Settings in memory. There are only those that it was made with. */
export class FakeSysctl implements Sysctl {
  /** What was written, in order: `net/ipv4/ip_forward=1`. */
  readonly writes: string[] = [];
  readonly #values: Map<string, string>;
  readonly #readOnly = new Set<string>();
  readonly #release: string;

  constructor({
    values = {},
    release = '6.1.0-18-amd64',
  }: { values?: Readonly<Record<string, string>>; release?: string } = {}) {
    this.#values = new Map(Object.entries(values));
    this.#release = release;
  }

  read(path: string): string | undefined {
    return this.#values.get(path);
  }

  write(path: string, value: string): void {
    const operation = `write ${value} to ${path}`;
    if (!this.#values.has(path)) throw new KernelError(operation, 'ENOENT');
    if (this.#readOnly.has(path)) throw new KernelError(operation, 'EACCES');
    this.writes.push(`${path}=${value}`);
    this.#values.set(path, value);
  }

  kernelRelease(): string {
    return this.#release;
  }

  /** Makes a setting read-only, as in a container whose /proc/sys is. */
  protect(path: string): void {
    this.#readOnly.add(path);
  }

  /** A line for each setting, sorted by path. */
  dump(): string {
    return [...this.#values]
      .map(([path, value]) => `${path}=${value}`)
      .sort()
      .join('\n');
  }
}
