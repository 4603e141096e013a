import { cleanUp } from '../../pkg/cleanup/cleanup.ts';
import { gateStates } from '../../pkg/config/gates.ts';
import { parseServiceAnnotations } from '../../pkg/config/service-annotations.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { buildInfo } from '../../pkg/config/version.ts';
import { ProcIpvsConnections } from '../../pkg/connections/proc.ts';
import { NetlinkConntrack } from '../../pkg/conntrack/netlink.ts';
import { isUnsupported } from '../../pkg/errno/errno.ts';
import { nftGeneration } from '../../pkg/firewall/generation.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { ProgramTables } from '../../pkg/firewall/rule-tables.ts';
import { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import { abstractNames } from '../../pkg/instance/abstract-names.ts';
import { waitForTurn } from '../../pkg/instance/instance.ts';
import type { Family, IpAddress } from '../../pkg/ip/address.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { loadModule } from '../../pkg/ipvs/module.ts';
import { type NetlinkIpvs, openIpvs } from '../../pkg/ipvs/netlink.ts';
import { probeIpvs, Schedulers } from '../../pkg/ipvs/probe.ts';
import { startingEvent } from '../../pkg/kube/events.ts';
import type { Change, Service, Source } from '../../pkg/kube/types.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import type { Logger, ProgramLog } from '../../pkg/log/log.ts';
import { createMetrics, type Metrics } from '../../pkg/metrics/metrics.ts';
import { NetlinkNeighbours } from '../../pkg/neighbours/netlink.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { printTraceEvent, type TraceEvent } from '../../pkg/netlink/trace.ts';
import { NetlinkNftTables } from '../../pkg/nftables/netlink.ts';
import { applyConntrackLimits } from '../../pkg/node/conntrack-settings.ts';
import { applyIpvsTimeouts } from '../../pkg/node/ipvs-timeouts.ts';
import { applyOomScore } from '../../pkg/node/oom-score.ts';
import { createProxier } from '../../pkg/proxy/create.ts';
import type { Kernel, ProxierSettings } from '../../pkg/proxy/options.ts';
import type { Reporter } from '../../pkg/proxy/reporter.ts';
import { KernelSettings } from '../../pkg/proxy/settings/kernel-settings.ts';
import { RawResetter } from '../../pkg/reset/raw.ts';
import { type Clock, systemClock } from '../../pkg/runner/clock.ts';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';
import { type ConfigFile, watchConfigFile } from './config-file.ts';
import { watchEligibility } from './eligibility.ts';
import { logReadings } from './log-readings.ts';
import { openObjects } from './object-source.ts';
import { createReporter } from './reporter.ts';
import { ruleSettings } from './rule-settings.ts';
import { type Part, runAll } from './run-all.ts';
import { servedFamilies } from './served-families.ts';
import { createServers, createServiceHealthServers } from './servers.ts';

/** The whole program, built and not yet started. */
export interface Program {
  /** Works until the signal aborts; throws what it cannot go on after. */
  run(signal: AbortSignal): Promise<void>;
}

/** What every part of the program shares. */
interface Shared {
  readonly config: ProxyConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly health: ProxyHealth;
  readonly reporter: Reporter;
}

/** What makes the kernel follow the objects. */
interface Follower {
  onChange(change: Change): void;
  isNodeAddress(address: IpAddress): boolean;
  run(signal: AbortSignal): Promise<void>;
}

/** What the program is built from. */
export interface ProgramOptions {
  readonly config: ProxyConfig;
  readonly log: ProgramLog;
  /** Where the configuration came from, if it came from a file. */
  readonly configFile: ConfigFile | undefined;
}

/** Does what needs a privileged container, once: kernel modules, and settings of the kernel that are not the namespace's own. */
export async function initialise({ config, log }: ProgramOptions): Promise<void> {
  const metrics = createMetrics(logReadings(log));
  const shared = { config, log, clock: systemClock, metrics };
  const { kernel, close } = await openKernel(shared);
  await servedFamilies(shared, kernel.firewall);
  close();
}

/** Takes away what every mode of kube-proxy left in the kernel. True if nothing of it is there any more. */
export async function cleanUpNode({
  config,
  log,
}: Omit<ProgramOptions, 'configFile'>): Promise<boolean> {
  const ipvs = openIpvsIfThere();
  const netfilter = openConnection(NETLINK_NETFILTER, { echo: true });
  const route = openConnection(NETLINK_ROUTE);
  const kernel = {
    ipvs,
    ipsets: new NetlinkIpSets(netfilter),
    links: new NetlinkLinks(route),
    rules: new ProgramTables(),
    firewall: new RestoreFirewall({ generation: nftGeneration(netfilter), log }),
    nftTables: new NetlinkNftTables(netfilter),
  };
  try {
    return await cleanUp(kernel, { excluded: config.excludeCIDRs, log, clock: systemClock });
  } finally {
    for (const opened of [ipvs, netfilter, route]) opened?.close();
  }
}

/** Where the module is not loaded, there is no virtual server, and none is loaded for asking. */
function openIpvsIfThere(): NetlinkIpvs | undefined {
  try {
    return openIpvs();
  } catch (error) {
    if (isUnsupported(error)) return undefined;
    throw error;
  }
}

/**
 * Builds the program, once no other kube-proxy works on this node; `undefined` if the signal aborts before. Throws if the way to the
 * API server is not known.
 */
export async function assemble(
  { config, log, configFile }: ProgramOptions,
  signal: AbortSignal,
): Promise<Program | undefined> {
  const clock = systemClock;
  const metrics = createMetrics(logReadings(log));
  metrics.buildInfo.set(buildInfo, 1);
  for (const { name, stage, isOn } of gateStates(config.settings.featureGates))
    metrics.featureEnabled.set({ name, stage }, Number(isOn));
  const health = new ProxyHealth({ clock, syncPeriod: config.syncPeriod });
  const objects = await openObjects({ config, log, clock, metrics });
  // Nothing is written and no port is opened before.
  const place = await waitForTurn({ names: abstractNames, clock, log, signal });
  if (signal.aborted) return undefined;
  objects.record(startingEvent(config.nodeName));
  const isNodeAddress = (address: IpAddress) => proxier.isNodeAddress(address);
  const { record } = objects;
  const services = createServiceHealthServers({
    config,
    clock,
    log,
    health,
    record,
    isNodeAddress,
  });
  const reporter = createReporter({ metrics, health, clock, record, services });
  const shared: Shared = { config, log, clock, metrics, health, reporter };

  const confirm = objects.source.confirm?.bind(objects.source);
  const proxier = await createFollower(shared, confirm);
  const withoutNode = config.source.type === 'manifests' ? 'eligible' : 'unknown';
  const onNode = watchEligibility(health, { withoutNode });
  const onChange = (change: Change) => {
    onNode(change);
    proxier.onChange(change);
  };
  const parts: readonly Part[] = [
    ...createServers({
      ...shared,
      record,
      isNodeAddress,
      setVerbosity: (level) => log.setVerbosity(level),
    }),
    (signal) => services.run(signal),
    ...watchedConfigFile(shared, configFile),
    ...objects.parts,
    () => applyOomScore(config.oomScoreAdj, { process: ownProcess(), clock, log }),
    (signal) => objects.source.run(onChange, signal),
    (signal) => proxier.run(signal),
  ];
  const close = () => {
    objects.close();
    place?.close();
  };
  return { run: (stop) => runAll(parts, stop).finally(close) };
}

/** What the kernel knows of this process. */
function ownProcess(): ProcSysctl {
  return new ProcSysctl({ root: '/proc/self' });
}

function watchedConfigFile(
  { clock, log, metrics }: Shared,
  file: ConfigFile | undefined,
): readonly Part[] {
  if (file === undefined) return [];
  const onLooked = (isRefused: boolean) => metrics.refusedConfigFile.set({}, Number(isRefused));
  return [(signal) => watchConfigFile({ file, clock, log, onLooked }, signal)];
}

/** Every way to the kernel, and how to close them. */
interface OpenKernel {
  readonly kernel: Kernel;
  readonly close: () => void;
}

/** What opening the kernel takes. */
type KernelOptions = Pick<Shared, 'config' | 'log' | 'clock' | 'metrics'>;

/** Opens every way to the kernel, sees that it can do what is needed, and sets what IPVS mode and the configuration need set. */
async function openKernel(shared: KernelOptions): Promise<OpenKernel> {
  const { config, log } = shared;
  const trace = log.v(9) && ((event: TraceEvent) => log.v(9)?.info(printTraceEvent(event)));
  const options = trace === undefined ? {} : { trace };
  const ipvs = openIpvs({ ...options, loadModule });
  const netfilter = openConnection(NETLINK_NETFILTER, { ...options, echo: true });
  const route = openConnection(NETLINK_ROUTE, options);
  const resetter = new RawResetter();
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
    links: new NetlinkLinks(route),
    firewall,
    conntrack: new NetlinkConntrack(netfilter),
    connections: new ProcIpvsConnections(),
    neighbours: new NetlinkNeighbours(route),
    resetter,
    settings,
  };
  const close = () => {
    for (const opened of [ipvs, netfilter, route, resetter]) opened.close();
  };
  return { kernel, close };
}

function createSettings({ config, clock, log, metrics }: KernelOptions): KernelSettings {
  return new KernelSettings({
    sysctl: new ProcSysctl(),
    clock,
    log,
    strictArp: config.strictARP,
    isRestoring: config.restoreSysctls,
    onRestored: () => metrics.repairs.inc({ kind: 'setSysctl' }),
    onLooked: (wrong) => metrics.wrongSysctls.set({}, wrong),
  });
}

/** What makes the kernel follow the objects. */
async function createFollower(shared: Shared, confirm: Source['confirm']): Promise<Follower> {
  const { config, log, clock, reporter } = shared;
  const { kernel, close } = await openKernel(shared);
  const settings = proxierSettings(config, await servedFamilies(shared, kernel.firewall));
  const schedulers = new Schedulers(kernel.ipvs, () => clock.now());
  const judgedBy = {
    scheduler: config.scheduler,
    hasScheduler: (scheduler: string) => schedulers.has(scheduler),
  };
  const serviceOptionsOf = config.serviceAnnotations
    ? (service: Service) => parseServiceAnnotations(service.annotations, judgedBy)
    : undefined;
  const proxier = createProxier(kernel, settings, {
    clock,
    log,
    reporter,
    serviceOptionsOf,
    confirm,
  });
  return {
    onChange: (change) => proxier.onChange(change),
    isNodeAddress: (address) => kernel.neighbours.isLocal(address),
    async run(signal) {
      await proxier.run(signal);
      close();
    },
  };
}

/** What the configuration says, in the proxier's words. */
function proxierSettings(config: ProxyConfig, families: readonly Family[]): ProxierSettings {
  return {
    families,
    nodeName: config.nodeName,
    scheduler: config.scheduler,
    externalIPs: config.externalIPs,
    excluded: config.excludeCIDRs,
    ruleSettings: ruleSettings(config),
    drains: { mode: config.drainMode, timeout: config.drainTimeout },
    resetsWaitingClients: config.resetWaitingClients,
    syncPeriod: config.syncPeriod,
    minSyncPeriod: config.minSyncPeriod,
  };
}
