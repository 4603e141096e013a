import { gateStates } from '../../pkg/config/gates.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { buildInfo } from '../../pkg/config/version.ts';
import { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import type { StatusSource } from '../../pkg/health/status-route.ts';
import { waitForTurn } from '../../pkg/instance/instance.ts';
import type { IpAddress } from '../../pkg/ip/address.ts';
import type { Prefix } from '../../pkg/ip/prefix.ts';
import { virtualServerKey } from '../../pkg/ipvs/ipvs.ts';
import { Schedulers } from '../../pkg/ipvs/probe.ts';
import { startingEvent } from '../../pkg/kube/events.ts';
import type { Change, Source } from '../../pkg/kube/types.ts';
import type { Logger, ProgramLog } from '../../pkg/log/log.ts';
import { createMetrics, type Metrics } from '../../pkg/metrics/metrics.ts';
import { applyOomScore } from '../../pkg/node/oom-score.ts';
import { createProxier } from '../../pkg/proxy/create.ts';
import type { Proxier } from '../../pkg/proxy/proxier.ts';
import type { Reporter } from '../../pkg/proxy/reporter.ts';
import type { Clock } from '../../pkg/runner/clock.ts';
import { ProgressBoard } from '../../pkg/runner/progress.ts';
import { logProgress } from '../../pkg/runner/show-progress.ts';
import type { History } from '../../pkg/status/history.ts';
import { ServiceTraffic } from '../../pkg/traffic/traffic.ts';
import { type ConfigFile, watchConfigFile } from './config-file.ts';
import { drainMetrics } from './drain-metrics.ts';
import { watchEligibility } from './eligibility.ts';
import { type Environment, systemEnvironment } from './environment.ts';
import { measureEventLoop } from './event-loop-metric.ts';
import { familyNotices } from './family-notices.ts';
import { logReadings } from './log-readings.ts';
import { nodePortNotices } from './node-port-notices.ts';
import type { Objects } from './object-source.ts';
import { compilingFirstSync } from './optimization.ts';
import { proxierSettings } from './proxier-settings.ts';
import { createReporter } from './reporter.ts';
import { type Part, runAll } from './run-all.ts';
import { servedFamilies } from './served-families.ts';
import { createServers, createServiceHealthServers } from './servers.ts';
import { serviceOptionsReader } from './service-options.ts';
import { usableRanges, wantsServiceRanges } from './service-ranges.ts';
import { trafficMetrics } from './service-traffic.ts';
import { setMetrics } from './set-metrics.ts';
import { createStatus, remembering } from './status-source.ts';

/** The whole program before its start. */
export interface Program {
  /** Runs until the signal aborts. Throws the error of a part that cannot go on. */
  run(signal: AbortSignal): Promise<void>;
}

/** What all parts of the program share. */
interface Shared {
  readonly environment: Environment;
  readonly config: ProxyConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly health: ProxyHealth;
  readonly reporter: Reporter;
  readonly history: History;
  readonly progress: ProgressBoard;
}

/** The proxier with everything that it needs. */
interface Follower {
  onChange(change: Change): void;
  isNodeAddress(address: IpAddress): boolean;
  useVipRanges(ranges: readonly Prefix[]): void;
  readonly status: StatusSource;
  run(signal: AbortSignal): Promise<void>;
}

export interface ProgramOptions {
  readonly config: ProxyConfig;
  readonly log: ProgramLog;
  /** The file that the configuration is from, if any. */
  readonly configFile: ConfigFile | undefined;
  /** The machine, unless a test says otherwise. */
  readonly environment?: Environment;
}

/** Does once what needs a privileged container: loads kernel modules, and writes kernel settings that the whole machine shares. */
export async function initialise({
  config,
  log,
  environment = systemEnvironment,
}: ProgramOptions): Promise<void> {
  const metrics = createMetrics(logReadings(log));
  const shared = { config, log, clock: environment.clock, metrics };
  const { kernel, close } = await environment.openKernel(shared);
  await servedFamilies(shared, kernel.firewall);
  close();
}

/**
 * Builds the program when no other kube-proxy works on this node any more; `undefined` if the signal aborts before. Throws a ConfigError
 * if the API server's address or the credentials are invalid.
 */
export async function assemble(
  { config, log, configFile, environment = systemEnvironment }: ProgramOptions,
  signal: AbortSignal,
): Promise<Program | undefined> {
  const { clock, names } = environment;
  const metrics = programMetrics(config, log);
  const health = new ProxyHealth({ clock, syncPeriod: config.syncPeriod });
  const progress = new ProgressBoard();
  logProgress(progress, { clock, log });
  const objects = await environment.openObjects({ config, log, clock, metrics, progress });
  // Before it, nothing is written and no port is opened.
  const place = await waitForTurn({ names, clock, log, signal });
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
  const listeners = { metrics, health, clock, record, services };
  const { reporter, history } = remembering(compilingFirstSync(createReporter(listeners)), clock);
  const common = { environment, config, log, clock, metrics, health, progress };
  const shared: Shared = { ...common, reporter, history };

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
      status: proxier.status,
      setVerbosity: (level) => log.setVerbosity(level),
      logTail: log.tail,
    }),
    (signal) => services.run(signal),
    ...watchedConfigFile(shared, configFile),
    measureEventLoop(shared),
    ...objects.parts,
    () => applyOomScore(config.oomScoreAdj, { process: environment.ownProcess(), clock, log }),
    (signal) => objects.source.run(onChange, signal),
    ...serviceRanges(shared, { objects, proxier }),
    (signal) => proxier.run(signal),
  ];
  const close = () => {
    objects.close();
    place?.close();
  };
  return { run: (stop) => runAll(parts, stop).finally(close) };
}

/** The metrics, with those that say what runs. */
function programMetrics({ settings }: ProxyConfig, log: ProgramLog): Metrics {
  const metrics = createMetrics(logReadings(log));
  metrics.buildInfo.set(buildInfo, 1);
  for (const { name, stage, isOn } of gateStates(settings.featureGates))
    metrics.featureEnabled.set({ name, stage }, Number(isOn));
  return metrics;
}

function watchedConfigFile(
  { clock, log, metrics }: Shared,
  file: ConfigFile | undefined,
): readonly Part[] {
  if (file === undefined) return [];
  const onLooked = (isRefused: boolean) => metrics.refusedConfigFile.set({}, Number(isRefused));
  return [(signal) => watchConfigFile({ file, clock, log, onLooked }, signal)];
}

/** Follows the cluster's ServiceCIDR objects, where VIPs are bound by routes and no ranges are configured. */
function serviceRanges(
  { config, log }: Shared,
  { objects, proxier }: { objects: Objects; proxier: Pick<Follower, 'useVipRanges'> },
): readonly Part[] {
  const { serviceRanges: ranges } = objects;
  if (ranges === undefined || !wantsServiceRanges(config)) return [];
  return [
    (signal) => ranges.run((texts) => proxier.useVipRanges(usableRanges(texts, log)), signal),
  ];
}

/** Opens the kernel and creates the proxier. */
async function createFollower(shared: Shared, confirm: Source['confirm']): Promise<Follower> {
  const { environment, config, log, clock, reporter, progress } = shared;
  const { kernel, canReset, close } = await environment.openKernel(shared);
  const families = await servedFamilies(shared, kernel.firewall);
  const notices = [...familyNotices(config, families), ...nodePortNotices(config, families)];
  for (const { severity, message, details } of notices) log[severity](message, details);
  const settings = {
    ...proxierSettings(config, families),
    resetsWaitingClients: config.resetWaitingClients && canReset,
  };
  const schedulers = new Schedulers(kernel.ipvs, () => clock.now());
  const serviceOptionsOf = serviceOptionsReader(config, (name) => schedulers.has(name));
  const proxier = createProxier(kernel, settings, {
    clock,
    log,
    reporter,
    serviceOptionsOf,
    progress,
    confirm,
  });
  shared.metrics.addScraped(setMetrics(proxier.view));
  shared.metrics.addScraped(drainMetrics(proxier.graceful, () => clock.now()));
  const closeTraffic = config.serviceMetrics ? showTraffic(shared, proxier) : undefined;
  const { status, close: closeStatus } = createStatus(proxier.view, shared);
  return {
    onChange: (change) => proxier.onChange(change),
    isNodeAddress: (address) => kernel.neighbours.isLocal(address),
    useVipRanges: (ranges) => proxier.useVipRanges(ranges),
    status,
    async run(signal) {
      await proxier.run(signal);
      close();
      closeTraffic?.();
      closeStatus();
    },
  };
}

/** Adds the traffic of Services to `/metrics`. Returns a function that closes the reader. */
function showTraffic(
  { environment, clock, log, metrics }: Shared,
  { view: { ledger } }: Pick<Proxier, 'view'>,
): () => void {
  const ipvs = environment.openIpvsReader(metrics);
  const traffic = new ServiceTraffic({
    ipvs,
    isEstimating: environment.isEstimating,
    ownerOf: (virtualServer) => ledger.lastOwner(virtualServerKey(virtualServer)),
    now: () => clock.now(),
  });
  metrics.addScraped(trafficMetrics(traffic, log));
  return () => ipvs.close();
}
