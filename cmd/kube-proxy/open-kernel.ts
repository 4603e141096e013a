import { cleanUp } from '../../pkg/cleanup/cleanup.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { ProcIpvsConnections } from '../../pkg/connections/proc.ts';
import { NetlinkConntrack } from '../../pkg/conntrack/netlink.ts';
import { isUnsupported } from '../../pkg/errno/errno.ts';
import { nftGeneration } from '../../pkg/firewall/generation.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { ProgramTables } from '../../pkg/firewall/rule-tables.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { loadModule } from '../../pkg/ipvs/module.ts';
import { type NetlinkIpvs, openIpvs } from '../../pkg/ipvs/netlink.ts';
import { probeIpvs } from '../../pkg/ipvs/probe.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import type { Logger } from '../../pkg/log/log.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import { NetlinkNeighbours } from '../../pkg/neighbours/netlink.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { printTraceEvent, type TraceEvent } from '../../pkg/netlink/trace.ts';
import { NetlinkNftTables } from '../../pkg/nftables/netlink.ts';
import { missingCapabilities } from '../../pkg/node/capabilities.ts';
import { applyConntrackLimits } from '../../pkg/node/conntrack-settings.ts';
import { type CpuSources, estimatorCpus } from '../../pkg/node/estimator-cpus.ts';
import { applyIpvsTimeouts } from '../../pkg/node/ipvs-timeouts.ts';
import type { Kernel } from '../../pkg/proxy/options.ts';
import { estimationSettings } from '../../pkg/proxy/settings/estimation.ts';
import { KernelSettings } from '../../pkg/proxy/settings/kernel-settings.ts';
import type { Setting } from '../../pkg/proxy/settings/setting.ts';
import { AbsentResetter } from '../../pkg/reset/absent.ts';
import { RawResetter } from '../../pkg/reset/raw.ts';
import { NetlinkRoutes } from '../../pkg/routes/netlink.ts';
import { type Clock, systemClock } from '../../pkg/runner/clock.ts';
import type { ProgressBoard } from '../../pkg/runner/progress.ts';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';
import { netlinkErrors } from './netlink-errors.ts';

/** Opens another connection to IPVS for reading. The caller closes it. */
export function openIpvsReader(metrics: Metrics): NetlinkIpvs {
  return openIpvs({ onError: netlinkErrors(metrics).of('ipvs') });
}

/** Whether IPVS adds up its counters. True on kernels without the setting, which always do. */
export function isEstimating(): boolean {
  return new ProcSysctl().read('net/ipv4/vs/run_estimation') !== '0';
}

/** Deletes what kube-proxy of any mode left in the kernel. Whether nothing of it is left. */
export async function cleanUpNode({
  config,
  log,
  progress,
}: Pick<KernelOptions, 'config' | 'log'> & { progress: ProgressBoard }): Promise<boolean> {
  const ipvs = openIpvsIfThere();
  const netfilter = openConnection(NETLINK_NETFILTER, { echo: true });
  const route = openConnection(NETLINK_ROUTE);
  const strictRoute = openConnection(NETLINK_ROUTE, { strict: true });
  const kernel = {
    ipvs,
    ipsets: new NetlinkIpSets(netfilter),
    links: new NetlinkLinks(route),
    routes: new NetlinkRoutes(strictRoute),
    rules: new ProgramTables(),
    firewall: new RestoreFirewall({ generation: nftGeneration(netfilter), log }),
    nftTables: new NetlinkNftTables(netfilter),
  };
  try {
    const clock = systemClock;
    return await cleanUp(kernel, { excluded: config.excludeCIDRs, log, clock, progress });
  } finally {
    for (const opened of [ipvs, netfilter, route, strictRoute]) opened?.close();
  }
}

/** Opens IPVS if its module is loaded. Without it there is no virtual server, so it is not loaded for this. */
export function openIpvsIfThere(): NetlinkIpvs | undefined {
  try {
    return openIpvs();
  } catch (error) {
    if (isUnsupported(error)) return undefined;
    throw error;
  }
}

/** The files of /proc/self. */
export function ownProcess(): ProcSysctl {
  return new ProcSysctl({ root: '/proc/self' });
}

/** All interfaces to the kernel. */
export interface OpenKernel {
  readonly kernel: Kernel;
  /** Whether packets can be sent to clients, which takes CAP_NET_RAW. */
  readonly canReset: boolean;
  readonly close: () => void;
}

export interface KernelOptions {
  readonly config: ProxyConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Opens all interfaces to the kernel, checks that it has what is needed, and writes the settings that the configuration asks for. */
export async function openKernel(shared: KernelOptions): Promise<OpenKernel> {
  const { config, log, metrics } = shared;
  const missing = missingCapabilities({ process: ownProcess(), log });
  for (const capability of missing) metrics.missingCapabilities.set({ capability }, 1);
  const trace = log.v(9) && ((event: TraceEvent) => log.v(9)?.info(printTraceEvent(event)));
  const options = trace === undefined ? {} : { trace };
  const errors = netlinkErrors(metrics);
  const ipvs = openIpvs({ ...options, onError: errors.of('ipvs'), loadModule });
  const onError = errors.ofNetfilter;
  const netfilter = openConnection(NETLINK_NETFILTER, { ...options, onError, echo: true });
  const onRouteError = errors.of('route');
  const route = openConnection(NETLINK_ROUTE, { ...options, onError: onRouteError });
  const strictRoute = openConnection(NETLINK_ROUTE, {
    ...options,
    onError: onRouteError,
    strict: true,
  });
  const resetter = missing.has('CAP_NET_RAW')
    ? new AbsentResetter(() => metrics.skippedResets.inc({}))
    : new RawResetter();
  const ipsets = new NetlinkIpSets(netfilter);
  const firewall = new RestoreFirewall({ generation: nftGeneration(netfilter), log });
  await probeIpvs(ipvs, { scheduler: config.scheduler, ipsetProtocol: () => ipsets.protocol() });
  const settings = createSettings(shared);
  settings.apply();
  const sysfs = new ProcSysctl({ root: '/sys' });
  applyConntrackLimits(config.conntrack, { sysctl: new ProcSysctl(), sysfs, log });
  applyIpvsTimeouts(config.ipvsTimeouts, { ipvs, log });
  const kernel = {
    ipvs,
    ipsets,
    links: new NetlinkLinks(route, { onLost: () => onRouteError('ENOBUFS') }),
    routes: new NetlinkRoutes(strictRoute),
    firewall,
    ruleTables: new ProgramTables(),
    nftTables: new NetlinkNftTables(netfilter),
    conntrack: new NetlinkConntrack(netfilter),
    connections: new ProcIpvsConnections(),
    neighbours: new NetlinkNeighbours(route),
    resetter,
    settings,
  };
  const close = () => {
    for (const opened of [ipvs, netfilter, route, strictRoute, resetter]) opened.close();
  };
  return { kernel, canReset: !missing.has('CAP_NET_RAW'), close };
}

/** The settings of the kernel's estimator. */
export function estimationOf(
  { estimation }: ProxyConfig,
  sources: CpuSources = { process: ownProcess(), sysfs: new ProcSysctl({ root: '/sys' }) },
): readonly Setting[] {
  return estimationSettings(estimation, () => estimatorCpus(sources));
}

function createSettings({ config, clock, log, metrics }: KernelOptions): KernelSettings {
  return new KernelSettings({
    sysctl: new ProcSysctl(),
    clock,
    log,
    strictArp: config.strictARP,
    others: estimationOf(config),
    hasLocalRoutes: config.vipBinding === 'route',
    isRestoring: config.restoreSysctls,
    onRestored: () => metrics.repairs.inc({ kind: 'setSysctl' }),
    onChecked: (wrong) => metrics.wrongSysctls.set({}, wrong),
  });
}
