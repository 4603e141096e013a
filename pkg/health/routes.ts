import type { Metrics } from '../metrics/metrics.ts';
import { type Routes } from './http.ts';
import type { HealthAnswer, ProxyHealth } from './proxy-health.ts';
import { jsonReply, type Reply, textReply } from './reply.ts';

/** What the health server answers. */
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

/** What the metrics server answers; `configz` gives the configuration in force, to be printed as JSON. */
export function metricsRoutes(metrics: Metrics, configz: () => unknown): Routes {
  return new Map<string, () => Reply | Promise<Reply>>([
    ['/metrics', shared(() => scrape(metrics.exposition))],
    ['/metrics/slis', shared(() => scrape(metrics.indicators))],
    ['/proxyMode', () => textReply(200, 'ipvs')],
    ['/healthz', () => ping(metrics)],
    ['/configz', () => jsonReply(200, JSON.stringify(configz()))],
  ]);
}

function replyOf({ isOk, body }: HealthAnswer): Reply {
  return jsonReply(isOk ? 200 : 503, body);
}

function counted(answer: HealthAnswer, counter: Metrics['healthz']): Reply {
  const reply = replyOf(answer);
  counter.inc({ code: String(reply.status) });
  return reply;
}

async function scrape(exposition: Metrics['exposition']): Promise<Reply> {
  const headers = { 'Content-Type': exposition.contentType };
  return { status: 200, headers, body: await exposition.text() };
}

/** Makes an answer once at a time: whoever asks while one is made gets the next one, together with all others who do. */
function shared(make: () => Promise<Reply>): () => Promise<Reply> {
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<Reply> | undefined;
  return () => {
    next ??= last.then(() => {
      next = undefined;
      return make();
    });
    last = next.catch(() => undefined);
    return next;
  };
}

/** Says that the process answers, and nothing about what it proxies. */
function ping(metrics: Pick<Metrics, 'healthcheck' | 'healthchecks'>): Reply {
  metrics.healthcheck.set({ name: 'ping', type: 'healthz' }, 1);
  metrics.healthchecks.inc({ name: 'ping', status: 'success', type: 'healthz' });
  return textReply(200, 'ok');
}
