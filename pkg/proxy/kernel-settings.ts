import type { Sysctl } from '../sysctl/sysctl.ts';

/** A kernel setting that was not as IPVS mode needs it, and is now. */
export interface ChangedSetting {
  readonly path: string;
  /** What it was; `undefined` if it could not be read. */
  readonly before: string | undefined;
  readonly value: string;
}

/** What became of the settings. */
export interface KernelSettings {
  readonly changed: readonly ChangedSetting[];
  /** Sentences for the log about what this kernel cannot do. */
  readonly warnings: readonly string[];
}

/**
 * Sets what IPVS mode needs of the kernel; what is right already is not written, so that a read-only /proc/sys does
 * no harm on a prepared node. Throws `can't set sysctl <path> to <value>: …` at the first one that cannot be set.
 */
export function applyKernelSettings(
  sysctl: Sysctl,
  { strictArp }: { strictArp: boolean },
): KernelSettings {
  const reuse = connectionReuse(sysctl.kernelRelease());
  const wanted: readonly Setting[] = [
    // Without it, connections through IPVS have no conntrack entry and are never masqueraded.
    ['net/ipv4/vs/conntrack', '1'],
    ...reuse.settings,
    ['net/ipv4/vs/expire_nodest_conn', '1'],
    ['net/ipv4/vs/expire_quiescent_template', '1'],
    ['net/ipv4/ip_forward', '1'],
    ...(strictArp ? strictArpSettings : []),
  ];
  const changed = wanted.flatMap(([path, value]) => ensure(sysctl, { path, value }));
  return { changed, warnings: reuse.warnings };
}

type Setting = readonly [path: string, value: string];

/** The VIPs stand on a device of the node: it must not answer ARP for them on another one. */
const strictArpSettings: readonly Setting[] = [
  ['net/ipv4/conf/all/arp_ignore', '1'],
  ['net/ipv4/conf/all/arp_announce', '2'],
];

/**
 * conn_reuse_mode came with 4.1. Until 5.9 its default, 1, delayed by a second every connection that reuses a
 * source port; since then it costs nothing and is left alone.
 */
function connectionReuse(release: string): { settings: readonly Setting[]; warnings: string[] } {
  const version = parseRelease(release);
  if (version === undefined) {
    return { settings: [], warnings: [`kernel release ${release} is not understood`] };
  }
  if (isBefore(version, [4, 1])) {
    const warning = `kernel ${release} is older than 4.1: connections that reuse a port may be lost`;
    return { settings: [], warnings: [warning] };
  }
  const hasDelay = isBefore(version, [5, 9]);
  return { settings: hasDelay ? [['net/ipv4/vs/conn_reuse_mode', '0']] : [], warnings: [] };
}

function ensure(
  sysctl: Sysctl,
  { path, value }: { path: string; value: string },
): ChangedSetting[] {
  const before = readable(sysctl, path);
  if (before === value) return [];
  try {
    sysctl.write(path, value);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`can't set sysctl ${path} to ${value}: ${reason}`, { cause });
  }
  return [{ path, before, value }];
}

/** A setting that cannot be read counts as different: writing it tells why. */
function readable(sysctl: Sysctl, path: string): string | undefined {
  try {
    return sysctl.read(path);
  } catch {
    return undefined;
  }
}

type KernelVersion = readonly [major: number, minor: number];

function parseRelease(release: string): KernelVersion | undefined {
  const found = /^(\d+)\.(\d+)/.exec(release);
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
}

function isBefore([major, minor]: KernelVersion, [otherMajor, otherMinor]: KernelVersion): boolean {
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
