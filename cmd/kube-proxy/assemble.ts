import { configz } from '../../pkg/config/configz.ts';
import type { ListenAddress, ProxyConfig } from '../../pkg/config/types.ts';
import { buildInfo, version } from '../../pkg/config/version.ts';
import { HttpServer, type Routes } from '../../pkg/health/http.ts';
import { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import { healthRoutes, metricsRoutes } from '../../pkg/health/routes.ts';
import { HttpClient } from '../../pkg/kube/client.ts';
import { loadConnection } from '../../pkg/kube/config.ts';
import { ManifestSource } from '../../pkg/kube/manifests.ts';
import { ApiSource } from '../../pkg/kube/source.ts';
import type { Change, Source } from '../../pkg/kube/types.ts';
import type { Logger } from '../../pkg/log/log.ts';
import { createMetrics, type Metrics } from '../../pkg/metrics/metrics.ts';
import type { Reporter } from '../../pkg/proxy/reporter.ts';
import { type Clock, systemClock } from '../../pkg/runner/clock.ts';
import { watchEligibility } from './eligibility.ts';
import { createKubeMetrics, createReporter, kubeLog } from './reporter.ts';
import { type Part, together } from './together.ts';

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
  run(signal: AbortSignal): Promise<void>;
}

/** Builds the program. Throws if the way to the API server is not known. */
export async function assemble(config: ProxyConfig, log: Logger): Promise<Program> {
  const clock = systemClock;
  const metrics = createMetrics();
  metrics.buildInfo.set(buildInfo, 1);
  const health = new ProxyHealth({ clock, syncPeriod: config.syncPeriod });
  const reporter = createReporter({ metrics, health, clock });
  const shared: Shared = { config, log, clock, metrics, health, reporter };

  const source = await createSource(shared);
  const proxier = createProxier(shared);
  const withoutNode = config.source.type === 'manifests' ? 'eligible' : 'unknown';
  const onNode = watchEligibility(health, { withoutNode });
  const onChange = (change: Change) => {
    onNode(change);
    proxier.onChange(change);
  };
  const parts: readonly Part[] = [
    ...createServers(shared),
    (signal) => source.run(onChange, signal),
    (signal) => proxier.run(signal),
  ];
  return { run: (signal) => together(parts, signal) };
}

async function createSource({ config, log, clock, metrics }: Shared): Promise<Source> {
  const { source, nodeName } = config;
  const toLog = kubeLog(log);
  if (source.type === 'manifests') {
    return new ManifestSource({ path: source.path, clock, log: toLog, nodeName });
  }
  const counts = createKubeMetrics(metrics);
  const connection = await loadConnection(source);
  const userAgent = `kube-proxy/${version}`;
  const client = new HttpClient({ connection, clock, metrics: counts, userAgent });
  return new ApiSource({ client, clock, metrics: counts, log: toLog, nodeName });
}

/**
 * The kernel's six interfaces and the proxier over them: `new Proxier({ …, reporter, clock, log })` takes this
 * place. Until then objects are received and nothing is done about them.
 */
function createProxier({ log }: Shared): Follower {
  return {
    onChange: (change) => log.v(4)?.info('change', { type: change.type, kind: change.kind }),
    run: async () => {},
  };
}

function createServers(shared: Shared): readonly Part[] {
  const { config, health, metrics } = shared;
  const toHealth = healthRoutes(health, metrics);
  const toMetrics = metricsRoutes(metrics, () => configz(config));
  return [
    ...createServer(shared, { name: 'health server', where: config.healthz, routes: toHealth }),
    ...createServer(shared, { name: 'metrics server', where: config.metrics, routes: toMetrics }),
  ];
}

/** One server, or none where no address is given. */
function createServer(
  { clock, log }: Shared,
  { name, where, routes }: { name: string; where: ListenAddress | undefined; routes: Routes },
): readonly Part[] {
  if (where === undefined) return [];
  const server = new HttpServer({ name, ...where, routes, clock, log });
  return [(signal) => server.run(signal)];
}
