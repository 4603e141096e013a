import { configz, flagz } from '../../pkg/config/configz.ts';
import { servedPages } from '../../pkg/config/gates.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { emulated, version } from '../../pkg/config/version.ts';
import type { ProfileSource } from '../../pkg/health/debug-routes.ts';
import { HttpServer } from '../../pkg/health/http.ts';
import type { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import { healthRoutes, type MetricsPages, metricsRoutes } from '../../pkg/health/routes.ts';
import { ServiceHealthServers } from '../../pkg/health/service-health.ts';
import type { IpAddress } from '../../pkg/ip/address.ts';
import { type KubeEvent, nodeEvent } from '../../pkg/kube/events.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import type { Logger } from '../../pkg/log/log.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import { type Clock, seconds, sleep } from '../../pkg/runner/clock.ts';
import { printYaml } from '../../pkg/yaml/yaml.ts';
import type { Part } from './run-all.ts';
import { healthPortEvent } from './service-events.ts';

/** The health-check node ports of Services, open where the proxier says that node ports are. */
export function createServiceHealthServers({
  config: { nodeName },
  health,
  clock,
  log,
  isNodeAddress,
  record,
}: Omit<ServerOptions, 'metrics' | 'setVerbosity'> & {
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

/** How long the event about a server that cannot listen may take to reach the API, before the program ends. */
const eventPatience = seconds(1);

/** Everything that the servers answer from, and whom they tell. */
export interface ServerOptions {
  readonly config: ProxyConfig;
  readonly health: ProxyHealth;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
  /** Notes an event about the node. */
  readonly record: (event: KubeEvent) => void;
  readonly isNodeAddress: (address: IpAddress) => boolean;
  /** How much the log says from now on. */
  readonly setVerbosity: (level: number) => void;
}

/** The health server and the metrics server, as far as they are wanted. */
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

/** What the metrics server shows of this program. */
function pages({ config, metrics, clock, setVerbosity }: ServerOptions): MetricsPages {
  const { settings } = config;
  const isServed = servedPages(settings.featureGates);
  const started = clock.wallClock();
  const statusz = () => ({
    started,
    now: clock.wallClock(),
    runtime: `node ${process.version}`,
    binaryVersion: version,
    emulationVersion: emulated,
  });
  return {
    metrics,
    configz: () => configz(settings),
    statusz: isServed.statusz ? statusz : undefined,
    flagz: isServed.flagz ? () => flagz(settings) : undefined,
    debug: settings.enableProfiling
      ? { profiles: profilesOf(clock), setVerbosity, commandLine: process.argv }
      : undefined,
    printYaml,
  };
}

/** Starts to take samples now, so that a later profile of the heap knows what was allocated; loaded for who asked for profiles only. */
function profilesOf(clock: Clock): () => Promise<ProfileSource> {
  const started = import('../../pkg/profile/profiler.ts').then(({ startProfiler }) =>
    startProfiler({
      wallClock: () => clock.wallClock(),
      pause: (milliseconds, signal) => sleep(clock, milliseconds, signal),
    }),
  );
  started.catch(() => undefined); // whoever asks for a profile is told
  return () => started;
}

/** Serves; if that fails, an event on the Node says why before the error is thrown. */
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
