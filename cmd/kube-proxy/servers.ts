import { configz, flagz } from '../../pkg/config/configz.ts';
import { servedPages } from '../../pkg/config/gates.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { emulated, version } from '../../pkg/config/version.ts';
import type { ProfileSource } from '../../pkg/health/debug-routes.ts';
import { HttpServer } from '../../pkg/health/http.ts';
import type { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import { healthRoutes, type MetricsPages, metricsRoutes } from '../../pkg/health/routes.ts';
import { ServiceHealthServers } from '../../pkg/health/service-health.ts';
import type { StatusSource } from '../../pkg/health/status-route.ts';
import type { IpAddress } from '../../pkg/ip/address.ts';
import { type KubeEvent, nodeEvent } from '../../pkg/kube/events.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import type { Logger } from '../../pkg/log/log.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import { type Clock, seconds, sleep } from '../../pkg/runner/clock.ts';
import type { ProgressBoard } from '../../pkg/runner/progress.ts';
import { printYaml } from '../../pkg/yaml/yaml.ts';
import type { Part } from './run-all.ts';
import { healthPortEvent } from './service-events.ts';

/** Creates the health-check node ports of Services. They listen where the proxier reports that node ports are served. */
export function createServiceHealthServers({
  config: { nodeName },
  health,
  clock,
  log,
  isNodeAddress,
  record,
}: Omit<ServerOptions, 'metrics' | 'status' | 'progress' | 'setVerbosity'> & {
  readonly record: (event: KubeEvent) => void;
}): ServiceHealthServers {
  return new ServiceHealthServers({
    name: 'service health server',
    isProxyHealthy: () => health.isHealthy,
    onFailed: (service, error) => record(healthPortEvent(service, { nodeName, error })),
    isNodeAddress,
    clock,
    log,
  });
}

/** How long to wait for the event about a server that cannot listen to be sent, before the program ends. */
const eventPatience = seconds(1);

/** What the servers show, and where they report errors. */
export interface ServerOptions {
  readonly config: ProxyConfig;
  readonly health: ProxyHealth;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
  /** Records an event about the node. */
  readonly record: (event: KubeEvent) => void;
  readonly isNodeAddress: (address: IpAddress) => boolean;
  /** What `/debug/ipvs` shows. */
  readonly status: StatusSource;
  /** The work that goes on, which `/statusz` shows. */
  readonly progress: Pick<ProgressBoard, 'current'>;
  /** Changes the verbosity of the log. */
  readonly setVerbosity: (level: number) => void;
  /** Returns the last lines of the log; `undefined` where none are kept. */
  readonly logTail?: (() => string) | undefined;
}

/** Creates the health server and the metrics server, if they are configured. */
export function createServers(options: ServerOptions): readonly Part[] {
  const { config, health, metrics } = options;
  const servers = [
    {
      name: 'health server',
      where: config.healthz,
      routes: healthRoutes(health, metrics),
      reason: 'FailedToStartProxierHealthcheck',
    },
    {
      name: 'metrics server',
      where: config.metrics,
      routes: metricsRoutes(pages(options)),
      reason: 'FailedToStartMetricServer',
    },
  ];
  return servers.flatMap(({ where, reason, ...rest }) => {
    if (where === undefined) return [];
    const { isNodeAddress, clock, log } = options;
    const hardFail = config.bindAddressHardFail;
    const server = new HttpServer({ ...rest, ...where, hardFail, isNodeAddress, clock, log });
    return [(signal) => orEvent(server, { reason, signal, options })];
  });
}

/** The pages of the metrics server. */
function pages({
  config,
  metrics,
  clock,
  status,
  progress,
  setVerbosity,
  logTail,
}: ServerOptions): MetricsPages {
  const { settings } = config;
  const isServed = servedPages(settings.featureGates);
  const started = clock.wallClock();
  const statusz = () => ({
    started,
    now: clock.wallClock(),
    runtime: `node ${process.version}`,
    binaryVersion: version,
    emulationVersion: emulated,
    progress: progress.current,
  });
  return {
    metrics,
    configz: () => configz(settings),
    status,
    logTail,
    statusz: isServed.statusz ? statusz : undefined,
    flagz: isServed.flagz ? () => flagz(settings) : undefined,
    debug: settings.enableProfiling
      ? { profiles: profilesOf(clock), setVerbosity, commandLine: process.argv }
      : undefined,
    printYaml,
  };
}

/** Loads and starts the profiler, so that later heap profiles contain what is allocated from now on. */
function profilesOf(clock: Clock): () => Promise<ProfileSource> {
  const started = import('../../pkg/profile/profiler.ts').then(({ startProfiler }) =>
    startProfiler({
      wallClock: () => clock.wallClock(),
      pause: (milliseconds, signal) => sleep(clock, milliseconds, signal),
    }),
  );
  started.catch(() => undefined); // the request for a profile reports it
  return () => started;
}

/** Serves. If that fails, records an event about the Node before the error is thrown. */
async function orEvent(
  server: HttpServer,
  { reason, signal, options }: { reason: string; signal: AbortSignal; options: ServerOptions },
): Promise<void> {
  try {
    await server.run(signal);
  } catch (error) {
    const { config, clock, record } = options;
    record(nodeEvent(config.nodeName, { type: 'Warning', reason, note: errorText(error) }));
    await sleep(clock, eventPatience, signal);
    throw error;
  }
}
