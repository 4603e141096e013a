import { configz } from '../../pkg/config/configz.ts';
import type { ListenAddress, ProxyConfig } from '../../pkg/config/types.ts';
import { HttpServer, type Routes } from '../../pkg/health/http.ts';
import type { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import { healthRoutes, metricsRoutes } from '../../pkg/health/routes.ts';
import type { IpAddress } from '../../pkg/ip/address.ts';
import type { Logger } from '../../pkg/log/log.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import type { Clock } from '../../pkg/runner/clock.ts';
import type { Part } from './run-all.ts';

/** What the two servers work with. */
export interface ServerOptions {
  readonly config: ProxyConfig;
  readonly health: ProxyHealth;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isNodeAddress: (address: IpAddress) => boolean;
}

/** The health server and the metrics server, as far as they are wanted. */
export function createServers(options: ServerOptions): readonly Part[] {
  const { config, health, metrics, clock, log, isNodeAddress } = options;
  const server = (name: string, where: ListenAddress | undefined, routes: Routes): Part[] => {
    if (where === undefined) return [];
    const made = new HttpServer({ name, ...where, routes, isNodeAddress, clock, log });
    return [(signal) => made.run(signal)];
  };
  return [
    ...server('health server', config.healthz, healthRoutes(health, metrics)),
    ...server(
      'metrics server',
      config.metrics,
      metricsRoutes(metrics, () => configz(config)),
    ),
  ];
}
