/** Kernel settings of this network namespace, by their path below /proc/sys (`net/ipv4/vs/conntrack`). */
export interface Sysctl {
  /** The value, trimmed, or `undefined` if the kernel has no such setting. */
  read(path: string): string | undefined;
  /** Throws ENOENT if there is no such setting, EPERM or EACCES if it may not be written. */
  write(path: string, value: string): void;
  /** uname -r, for settings whose meaning depends on the kernel's version. */
  kernelRelease(): string;
}
