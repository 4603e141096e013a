import type { Metrics } from '../metrics/metrics.ts';
import { type DebugOptions, debugRoutes } from './debug-routes.ts';
import { expositionRoute } from './exposition.ts';
import type { Route, Routes } from './http.ts';
import { logRoute } from './log-route.ts';
import type { HealthAnswer, ProxyHealth } from './proxy-health.ts';
import { jsonReply, type Reply, textReply } from './reply.ts';
import { explainRoute, type StatusSource, statusPageRoute, statusRoute } from './status-route.ts';
import { flagzRoute, type Status, statuszRoute } from './zpages.ts';

/** The routes of the health server. */
export function healthRoutes(
  health: ProxyHealth,
  metrics: Pick<Metrics, 'healthz' | 'livez'>,
): Routes {
  return new Map([
    ['/healthz', () => counted(health.healthz(), metrics.healthz)],
    ['/livez', () => counted(health.livez(), metrics.livez)],
    ['/readyz', () => replyOf(health.readyz())],
  ]);
}

/** What the metrics server's pages show. */
export interface MetricsPages {
  readonly metrics: Metrics;
  /** The current configuration, to be printed as JSON. */
  readonly configz: () => unknown;
  /** The content of `/statusz` except the paths; without it, there is no such page. */
  readonly statusz: (() => Omit<Status, 'paths'>) | undefined;
  /** All flags with their values; without it, there is no such page. */
  readonly flagz: (() => Readonly<Record<string, string>>) | undefined;
  /** What this node serves. */
  readonly status: StatusSource;
  /** The last lines of the log; without it, there is no such page. */
  readonly logTail?: (() => string) | undefined;
  /** Without it, there are no other debug pages. */
  readonly debug: DebugOptions | undefined;
  readonly printYaml: (value: unknown) => string;
}

/** The routes of the metrics server. */
export function metricsRoutes(pages: MetricsPages): Routes {
  const { metrics, configz, statusz, flagz, status: source, debug, printYaml } = pages;
  const routes = new Map<string, Route>([
    ['/metrics', expositionRoute(metrics.exposition)],
    ['/metrics/slis', expositionRoute(metrics.indicators)],
    ['/proxyMode', () => textReply(200, 'ipvs')],
    ['/healthz', () => ping(metrics)],
    ['/configz', () => jsonReply(200, JSON.stringify(configz()))],
    ['/debug/ipvs', statusRoute(source)],
    ['/debug/ipvs/', statusPageRoute(source)],
    ['/debug/ipvs/explain', explainRoute(source)],
    ...(pages.logTail === undefined ? [] : [['/debug/ipvs/log', logRoute(pages.logTail)] as const]),
    ...(debug === undefined ? [] : debugRoutes(debug)),
  ]);
  if (flagz !== undefined) routes.set('/flagz', flagzRoute(flagz, { printYaml }));
  if (statusz !== undefined) {
    const paths = () => [...routes.keys()].toSorted();
    const status = () => ({ ...statusz(), paths: paths() });
    routes.set('/statusz', statuszRoute(status, { printYaml }));
  }
  return routes;
}

function replyOf({ isOk, body }: HealthAnswer): Reply {
  return jsonReply(isOk ? 200 : 503, body);
}

function counted(answer: HealthAnswer, counter: Metrics['healthz']): Reply {
  const reply = replyOf(answer);
  counter.inc({ code: String(reply.status) });
  return reply;
}

/** Answers that the process runs, whatever the state of the proxy. */
function ping(metrics: Pick<Metrics, 'healthcheck' | 'healthchecks'>): Reply {
  metrics.healthcheck.set({ name: 'ping', type: 'healthz' }, 1);
  metrics.healthchecks.inc({ name: 'ping', status: 'success', type: 'healthz' });
  return textReply(200, 'ok');
}
