import { existsSync } from 'node:fs';
import { parseServiceAnnotations } from '../../pkg/config/service-annotations.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { buildInfo } from '../../pkg/config/version.ts';
import type { IpvsConnections } from '../../pkg/connections/connections.ts';
import { ProcIpvsConnections } from '../../pkg/connections/proc.ts';
import type { Conntrack } from '../../pkg/conntrack/conntrack.ts';
import { NetlinkConntrack } from '../../pkg/conntrack/netlink.ts';
import { isNotFound, isUnsupported, KernelError } from '../../pkg/errno/errno.ts';
import type { Firewall } from '../../pkg/firewall/firewall.ts';
import { nftGeneration } from '../../pkg/firewall/generation.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import { type Family, families, familyOf, type IpAddress } from '../../pkg/ip/address.ts';
import type { IpSets } from '../../pkg/ipset/ipset.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import type { Ipvs } from '../../pkg/ipvs/ipvs.ts';
import { loadModule } from '../../pkg/ipvs/module.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import { probeIpvs } from '../../pkg/ipvs/probe.ts';
import type { Change, Source } from '../../pkg/kube/types.ts';
import type { Links } from '../../pkg/links/links.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import type { Logger, ProgramLog } from '../../pkg/log/log.ts';
import { createMetrics, type Metrics } from '../../pkg/metrics/metrics.ts';
import type { Neighbours } from '../../pkg/neighbours/neighbours.ts';
import { NetlinkNeighbours } from '../../pkg/neighbours/netlink.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { printTraceEvent, type TraceEvent } from '../../pkg/netlink/trace.ts';
import { FlowForgetter } from '../../pkg/proxy/flows/stale-flows.ts';
import { ClientResets } from '../../pkg/proxy/graceful/client-reset.ts';
import { Proxier } from '../../pkg/proxy/proxier.ts';
import type { Reporter } from '../../pkg/proxy/reporter.ts';
import { KernelSettings } from '../../pkg/proxy/settings/kernel-settings.ts';
import { RawResetter } from '../../pkg/reset/raw.ts';
import type { Resetter } from '../../pkg/reset/reset.ts';
import { type Clock, systemClock } from '../../pkg/runner/clock.ts';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';
import { watchEligibility } from './eligibility.ts';
import { logReadings } from './log-readings.ts';
import { openObjects } from './object-source.ts';
import { createReporter } from './reporter.ts';
import { ruleSettings } from './rule-settings.ts';
import { type Part, runAll } from './run-all.ts';
import { createServers } from './servers.ts';

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

/** Builds the program. Throws if the way to the API server is not known. */
export async function assemble(config: ProxyConfig, log: ProgramLog): Promise<Program> {
  const clock = systemClock;
  const metrics = createMetrics(logReadings(log));
  metrics.buildInfo.set(buildInfo, 1);
  const health = new ProxyHealth({ clock, syncPeriod: config.syncPeriod });
  const objects = await openObjects({ config, log, clock, metrics });
  const reporter = createReporter({ metrics, health, clock, record: objects.record });
  const shared: Shared = { config, log, clock, metrics, health, reporter };

  const confirm = objects.source.confirm?.bind(objects.source);
  const proxier = await createProxier(shared, confirm);
  const withoutNode = config.source.type === 'manifests' ? 'eligible' : 'unknown';
  const onNode = watchEligibility(health, { withoutNode });
  const onChange = (change: Change) => {
    onNode(change);
    proxier.onChange(change);
  };
  const parts: readonly Part[] = [
    ...createServers({ ...shared, isNodeAddress: (address) => proxier.isNodeAddress(address) }),
    ...objects.parts,
    (signal) => objects.source.run(onChange, signal),
    (signal) => proxier.run(signal),
  ];
  return { run: (signal) => runAll(parts, signal).finally(() => objects.close()) };
}

/** What the proxier reaches the kernel through. */
interface Kernel {
  readonly ipvs: Ipvs;
  readonly ipsets: IpSets;
  readonly links: Links;
  readonly firewall: Firewall;
  readonly conntrack: Conntrack;
  readonly connections: IpvsConnections;
  readonly neighbours: Neighbours;
  readonly resetter: Resetter;
  readonly settings: KernelSettings;
  close(): void;
}

/** Opens every way to the kernel, sees that it can do what is needed, and sets what IPVS mode needs set. */
async function openKernel(shared: Shared): Promise<Kernel> {
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
  return {
    ipvs,
    ipsets,
    links: new NetlinkLinks(route),
    firewall,
    conntrack: new NetlinkConntrack(netfilter),
    connections: new ProcIpvsConnections(),
    neighbours: new NetlinkNeighbours(route),
    resetter,
    settings,
    close: () => {
      for (const opened of [ipvs, netfilter, route, resetter]) opened.close();
    },
  };
}

function createSettings({ config, clock, log, metrics }: Shared): KernelSettings {
  return new KernelSettings({
    sysctl: new ProcSysctl(),
    clock,
    log,
    strictArp: false,
    isRestoring: config.restoreSysctls,
    onRestored: () => metrics.repairs.inc({ kind: 'setSysctl' }),
    onLooked: (wrong) => metrics.wrongSysctls.set({}, wrong),
  });
}

/** The families that this node's iptables and kernel serve; throws if the primary one is not among them. */
async function servedFamilies(
  { config, log }: Shared,
  firewall: Firewall,
): Promise<readonly Family[]> {
  // Both at once: it takes programs to find out.
  const served = await Promise.all(
    families.map(async (family) => {
      try {
        const iptables = await iptablesOf(family, firewall);
        log.info('serving', { family, iptables });
        return [family];
      } catch (error) {
        if (family === familyOf(config.bindAddress))
          throw new Error('no support for primary IP family', { cause: error });
        // What fails today may work tomorrow; only what is not there is done without until the next start.
        if (!isNotFound(error) && !isUnsupported(error)) throw error;
        log.warn('not served', { family, reason: errorText(error) });
        return [];
      }
    }),
  );
  return served.flat();
}

/** What a family's iptables says of itself; throws if the family cannot be served. */
async function iptablesOf(family: Family, firewall: Firewall): Promise<string> {
  if (family === 'IPv6' && !existsSync('/proc/net/if_inet6'))
    throw new KernelError('look for IPv6', 'EAFNOSUPPORT', { detail: 'the kernel has no IPv6' });
  return (await firewall.capabilities(family)).description;
}

/** The proxier over the kernel. */
async function createProxier(shared: Shared, confirm: Source['confirm']): Promise<Follower> {
  const { config, log, clock, reporter, metrics } = shared;
  const kernel = await openKernel(shared);
  const { ipvs, ipsets, links, firewall, conntrack, neighbours, settings } = kernel;
  const flows = new FlowForgetter({
    log,
    conntrack,
    settings,
    clock,
    onReconciled({ family, milliseconds, deleted }) {
      metrics.conntrackDuration.observe({ ip_family: family }, milliseconds / 1000);
      metrics.conntrackDeleted.inc({ ip_family: family }, deleted);
    },
    onFailed: ({ family, error, isLast }) =>
      log.error('could not delete stale conntrack flows', error, { family, givenUp: isLast }),
  });
  const clientReset = createClientResets(shared, kernel);
  const { nodeName, scheduler, excludeCIDRs: excluded, syncPeriod, minSyncPeriod } = config;
  const proxier = new Proxier({
    ipvs,
    ipsets,
    links,
    firewall,
    neighbours,
    settings,
    flows,
    reporter,
    clock,
    log,
    nodeName,
    scheduler,
    excluded,
    ruleSettings: ruleSettings(config),
    syncPeriod,
    minSyncPeriod,
    drains: { mode: config.drainMode, timeout: config.drainTimeout },
    clientReset,
    confirm,
    ...(config.serviceAnnotations && {
      serviceOptionsOf: (service) => parseServiceAnnotations(service.annotations),
    }),
    families: await servedFamilies(shared, firewall),
  });
  return {
    onChange: (change) => proxier.onChange(change),
    isNodeAddress: (address) => neighbours.isLocal(address),
    async run(signal) {
      await Promise.all([proxier.run(signal), clientReset?.run(signal)]);
      kernel.close();
    },
  };
}

/** What tells clients that only wait, if they are to be told. */
function createClientResets(
  { config, clock, log, metrics }: Shared,
  { conntrack, connections, resetter, settings }: Kernel,
): ClientResets | undefined {
  if (!config.resetWaitingClients) return undefined;
  return new ClientResets({
    conntrack,
    connections,
    resetter,
    settings,
    clock,
    log,
    onSent: (count) => metrics.clientResets.inc({ result: 'sent' }, count),
    onFailed: (count) => metrics.clientResets.inc({ result: 'failed' }, count),
    onSkipped: (count) => metrics.clientResets.inc({ result: 'skipped' }, count),
  });
}
