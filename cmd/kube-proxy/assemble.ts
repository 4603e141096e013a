import { gateStates } from '../../pkg/config/gates.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { buildInfo } from '../../pkg/config/version.ts';
import { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import { abstractNames } from '../../pkg/instance/abstract-names.ts';
import { waitForTurn } from '../../pkg/instance/instance.ts';
import type { IpAddress } from '../../pkg/ip/address.ts';
import { virtualServerKey } from '../../pkg/ipvs/ipvs.ts';
import { Schedulers } from '../../pkg/ipvs/probe.ts';
import { parseServiceAnnotations } from '../../pkg/kube/annotations.ts';
import { startingEvent } from '../../pkg/kube/events.ts';
import type { Change, Service, Source } from '../../pkg/kube/types.ts';
import type { Logger, ProgramLog } from '../../pkg/log/log.ts';
import { createMetrics, type Metrics } from '../../pkg/metrics/metrics.ts';
import { applyOomScore } from '../../pkg/node/oom-score.ts';
import { createProxier } from '../../pkg/proxy/create.ts';
import type { Proxier } from '../../pkg/proxy/proxier.ts';
import type { Reporter } from '../../pkg/proxy/reporter.ts';
import { type Clock, systemClock } from '../../pkg/runner/clock.ts';
import { ServiceTraffic } from '../../pkg/traffic/traffic.ts';
import { type ConfigFile, watchConfigFile } from './config-file.ts';
import { drainMetrics } from './drain-metrics.ts';
import { watchEligibility } from './eligibility.ts';
import { measureEventLoop } from './event-loop-metric.ts';
import { logReadings } from './log-readings.ts';
import { nodePortNotices } from './node-port-notices.ts';
import { openObjects } from './object-source.ts';
import { isEstimating, openIpvsReader, openKernel, ownProcess } from './open-kernel.ts';
import { proxierSettings } from './proxier-settings.ts';
import { createReporter } from './reporter.ts';
import { type Part, runAll } from './run-all.ts';
import { servedFamilies } from './served-families.ts';
import { createServers, createServiceHealthServers } from './servers.ts';
import { trafficMetrics } from './service-traffic.ts';
import { setMetrics } from './set-metrics.ts';

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
    measureEventLoop(shared),
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

function watchedConfigFile(
  { clock, log, metrics }: Shared,
  file: ConfigFile | undefined,
): readonly Part[] {
  if (file === undefined) return [];
  const onLooked = (isRefused: boolean) => metrics.refusedConfigFile.set({}, Number(isRefused));
  return [(signal) => watchConfigFile({ file, clock, log, onLooked }, signal)];
}

/** What makes the kernel follow the objects. */
async function createFollower(shared: Shared, confirm: Source['confirm']): Promise<Follower> {
  const { config, log, clock, reporter } = shared;
  const { kernel, canReset, close } = await openKernel(shared);
  const families = await servedFamilies(shared, kernel.firewall);
  for (const { severity, message, details } of nodePortNotices(config, families))
    log[severity](message, details);
  const settings = {
    ...proxierSettings(config, families),
    resetsWaitingClients: config.resetWaitingClients && canReset,
  };
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
  shared.metrics.addScraped(setMetrics(proxier));
  shared.metrics.addScraped(drainMetrics(proxier.graceful, () => clock.now()));
  const closeTraffic = config.serviceMetrics ? showTraffic(shared, proxier) : undefined;
  return {
    onChange: (change) => proxier.onChange(change),
    isNodeAddress: (address) => kernel.neighbours.isLocal(address),
    async run(signal) {
      await proxier.run(signal);
      close();
      closeTraffic?.();
    },
  };
}

/** Has `/metrics` show the traffic of Services. Returns what ends it. */
function showTraffic(
  { clock, log, metrics }: Shared,
  proxier: Pick<Proxier, 'lastOwner'>,
): () => void {
  const ipvs = openIpvsReader(metrics);
  const traffic = new ServiceTraffic({
    ipvs,
    isEstimating,
    ownerOf: (virtualServer) => proxier.lastOwner(virtualServerKey(virtualServer)),
    now: () => clock.now(),
  });
  metrics.addScraped(trafficMetrics(traffic, log));
  return () => ipvs.close();
}
