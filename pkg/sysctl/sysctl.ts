/** Kernel settings of this network namespace, by their path below /proc/sys (`net/ipv4/vs/conntrack`). */
export interface Sysctl {
  /** The value, trimmed, or `undefined` if the kernel has no such setting. */
  read(path: string): string | undefined;
  /** ENOENT if there is no such setting, EPERM or EACCES without the right to write it. */
  write(path: string, value: string): void;
  /** uname -r, to be asked where a setting's meaning depends on the kernel's version. */
  kernelRelease(): string;
}
