import { availableParallelism } from 'node:os';
import type { ConntrackConfig } from '../config/types.ts';
import { errnoOf, isNotPermitted } from '../errno/errno.ts';
import { errorText } from '../log/error-text.ts';
import type { Logger } from '../log/log.ts';
import type { Sysctl } from '../sysctl/sysctl.ts';

/** Where the settings are. */
export interface ConntrackSettingsOptions {
  /** Below /proc/sys. */
  readonly sysctl: Sysctl;
  /** Below /sys. */
  readonly sysfs: Sysctl;
  readonly log: Logger;
}

/** The largest number of entries that is set, with any number of CPUs. */
const mostEntries = 1_048_576;

const maxPath = 'net/netfilter/nf_conntrack_max';
const hashSizePath = 'module/nf_conntrack/parameters/hashsize';

/**
 * Sets conntrack's size and timeouts once. Right values are not written. If one may not be written (a read-only /proc/sys, a
 * network namespace of its own), a warning is logged and it stays; any other error is thrown.
 */
export function applyConntrackLimits(
  limits: ConntrackConfig,
  options: ConntrackSettingsOptions,
): void {
  const { sysctl, sysfs } = options;
  const max = conntrackMax(limits, onlineCpus(sysfs));
  try {
    // A larger table was chosen by somebody, and a smaller one would drop connections.
    if (max > 0 && Number(sysctl.read(maxPath) ?? 0) < max)
      write({ path: maxPath, value: max }, options);
    if (max > 0) growHashTable(Math.trunc(max / 4), options);
    for (const setting of timeouts(limits)) {
      if (sysctl.read(setting.path) !== String(setting.value)) write(setting, options);
    }
  } catch (cause) {
    const reason = errorText(cause);
    throw new Error(`could not set conntrack parameters from kube-proxy configuration: ${reason}`, {
      cause,
    });
  }
}

/** The wanted number of conntrack's entries; 0 leaves it unchanged. */
export function conntrackMax(
  { maxPerCore, min }: Pick<ConntrackConfig, 'maxPerCore' | 'min'>,
  cpus: number,
): number {
  if (maxPerCore === 0) return 0;
  const wanted = maxPerCore * cpus;
  return wanted > mostEntries ? mostEntries : Math.max(wanted, min);
}

/** The number of the machine's CPUs, whatever this process may use. */
export function onlineCpus(sysfs: Sysctl): number {
  try {
    const ranges = sysfs.read('devices/system/cpu/online')?.split(',') ?? [];
    const count = ranges.map(cpusInRange).reduce((sum, length) => sum + length, 0);
    if (count > 0) return count;
  } catch {
    // Falls through to what the runtime knows.
  }
  return availableParallelism();
}

/** The number of CPUs in a range: `0-3` is 4, `5` is 1; NaN for anything else. */
function cpusInRange(text: string): number {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text.trim()) ?? [];
  return Number(last) - Number(first) + 1;
}

type Setting = { readonly path: string; readonly value: number };

function timeouts(limits: ConntrackConfig): readonly Setting[] {
  const seconds = (milliseconds: number) => Math.trunc(milliseconds / 1000);
  const settings = {
    nf_conntrack_tcp_timeout_established: seconds(limits.tcpEstablishedTimeout),
    nf_conntrack_tcp_timeout_close_wait: seconds(limits.tcpCloseWaitTimeout),
    nf_conntrack_tcp_be_liberal: Number(limits.tcpBeLiberal),
    nf_conntrack_udp_timeout: seconds(limits.udpTimeout),
    nf_conntrack_udp_timeout_stream: seconds(limits.udpStreamTimeout),
  };
  return Object.entries(settings)
    .filter(([, value]) => value > 0)
    .map(([name, value]) => ({ path: `net/netfilter/${name}`, value }));
}

function write({ path, value }: Setting, { sysctl, log }: ConntrackSettingsOptions): void {
  const before = sysctl.read(path);
  try {
    sysctl.write(path, String(value));
    log.info('set a kernel setting', { path, before, value });
  } catch (error) {
    if (!isNotPermitted(error) && errnoOf(error) !== 'EROFS') throw error;
    log.warn('a kernel setting stays as it is', { path, before, value, reason: errorText(error) });
  }
}

/** Enlarges conntrack's hash table. A small one only makes it slower, so errors are logged and ignored. */
function growHashTable(size: number, { sysfs, log }: ConntrackSettingsOptions): void {
  try {
    const before = sysfs.read(hashSizePath);
    if (before === undefined || Number(before) >= size) return;
    sysfs.write(hashSizePath, String(size));
    log.info("set the size of conntrack's hash table", { before, size });
  } catch (error) {
    log.warn("conntrack's hash table stays as it is", { size, reason: errorText(error) });
  }
}
