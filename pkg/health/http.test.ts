import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type IpAddress, parseAddress } from '../ip/address.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { type Clock, systemClock } from '../runner/clock.ts';
import { type ManualClock, manualClock } from '../runner/manual-clock.ts';
import { HttpServer, type Routes } from './http.ts';
import { ProxyHealth } from './proxy-health.ts';
import { textReply } from './reply.ts';
import { healthRoutes, metricsRoutes } from './routes.ts';

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

interface Running {
  readonly port: number;
  readonly logged: string[];
  /** Ends the server; settles when it has ended. */
  readonly stop: () => Promise<void>;
}

/** A server on a free port, ended with the test. */
async function serve(
  routes: Routes,
  host = '127.0.0.1',
  clock: Clock = systemClock,
): Promise<Running> {
  const controller = new AbortController();
  const logged: string[] = [];
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = new HttpServer({
    name: 'test server',
    address: address(host),
    port: 0,
    routes,
    clock,
    log: {
      info: (message) => void logged.push(message),
      error: (message, error) => void logged.push(`${message}: ${String(error)}`),
    },
    onListening: resolve,
  });
  const ended = server.run(controller.signal);
  const stop = async () => {
    controller.abort();
    await ended;
  };
  onTestFinished(stop);
  return { port: await promise, logged, stop };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

async function get(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { ...init, headers: { connection: 'close' } });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

describe('the health server', () => {
  async function started(): Promise<{
    url: string;
    health: ProxyHealth;
    metrics: ReturnType<typeof createMetrics>;
  }> {
    const metrics = createMetrics();
    const health = new ProxyHealth({ clock: manualClock(), syncPeriod: 30_000 });
    const { port } = await serve(healthRoutes(health, metrics));
    return { url: `http://127.0.0.1:${port}`, health, metrics };
  }

  test('answers 503 before the first sync and 200 after it, and counts both', async () => {
    const { url, health, metrics } = await started();
    health.nodeSeen({ isEligible: true });
    expect((await get(`${url}/healthz`)).status).toBe(503);
    expect((await get(`${url}/readyz`)).status).toBe(503);
    expect((await get(`${url}/livez`)).status).toBe(200);
    health.updated(['IPv4'], 0);
    health.firstSyncDone();
    expect((await get(`${url}/healthz?verbose`)).status).toBe(200);
    expect((await get(`${url}/readyz`)).status).toBe(200);
    const text = await metrics.exposition.text();
    expect(text).toContain('kubeproxy_proxy_healthz_total{code="503"} 1\n');
    expect(text).toContain('kubeproxy_proxy_healthz_total{code="200"} 1\n');
    expect(text).toContain('kubeproxy_proxy_livez_total{code="200"} 1\n');
  });
  test.each(['/healthz', '/livez', '/readyz'])('%s is JSON that nobody sniffs', async (path) => {
    const { url, health } = await started();
    const { headers, body } = await get(url + path);
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-length')).toBe(String(body.length));
    const expected = {
      '/healthz': health.healthz(),
      '/livez': health.livez(),
      '/readyz': health.readyz(),
    }[path];
    expect(body).toBe(expected?.body);
  });
  test.each(['POST', 'PUT', 'DELETE', 'HEAD'])('takes %s as well', async (method) => {
    const { url } = await started();
    expect((await get(`${url}/livez`, { method })).status).toBe(200);
  });
  test.each(['/', '/healthz/', '/metrics', '/proxyMode', '/constructor'])(
    'has no %s',
    async (path) => {
      const { url } = await started();
      const answer = await get(url + path);
      expect([answer.status, answer.body]).toEqual([404, '404 page not found\n']);
    },
  );
});

describe('the metrics server', () => {
  async function started(): Promise<string> {
    const configuration = { Mode: 'ipvs', IPVS: { Scheduler: 'rr' } };
    const routes = metricsRoutes(createMetrics(), () => ({
      'kubeproxy.config.k8s.io': configuration,
    }));
    const { port } = await serve(routes);
    return `http://127.0.0.1:${port}`;
  }

  test('/proxyMode is ipvs, without a newline', async () => {
    const { status, headers, body } = await get(`${await started()}/proxyMode`);
    expect([status, body]).toEqual([200, 'ipvs']);
    expect(headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });
  test('/healthz is ok, and shows in /metrics/slis', async () => {
    const url = await started();
    const { status, body } = await get(`${url}/healthz`);
    expect([status, body]).toEqual([200, 'ok']);
    const slis = await get(`${url}/metrics/slis`);
    expect(slis.body).toContain('kubernetes_healthcheck{name="ping",type="healthz"} 1\n');
  });
  test('/metrics is the text format', async () => {
    const { status, headers, body } = await get(`${await started()}/metrics`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(body).toContain('\nkubeproxy_ipvs_first_sync_complete 0\n');
  });
  test('/configz is the configuration', async () => {
    const { headers, body } = await get(`${await started()}/configz`);
    expect(headers.get('content-type')).toBe('application/json');
    expect(body).toBe('{"kubeproxy.config.k8s.io":{"Mode":"ipvs","IPVS":{"Scheduler":"rr"}}}');
  });
  test('has no profiles', async () => {
    expect((await get(`${await started()}/debug/pprof/`)).status).toBe(404);
  });
});

const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address: text }) => text === '::1'),
);

describe('where it listens', () => {
  const routes: Routes = new Map([['/', () => textReply(200, 'here')]]);
  test.each([
    ['0.0.0.0', ['127.0.0.1', '[::1]']],
    ['::', ['127.0.0.1', '[::1]']],
    ['::1', ['[::1]']],
  ])('%s', async (host, reachable) => {
    if (host === '::1' && !hasIPv6) return;
    const { port } = await serve(routes, host);
    for (const name of reachable.filter((text) => hasIPv6 || !text.startsWith('['))) {
      expect((await get(`http://${name}:${port}/`)).body).toBe('here');
    }
  });
  test('nowhere else', async () => {
    const { port } = await serve(routes, '127.0.0.1');
    await expect(get(`http://127.0.0.2:${port}/`)).rejects.toThrow('fetch failed');
  });
});

test('an answer that fails is a 500 and is logged', async () => {
  const routes: Routes = new Map([['/', () => Promise.reject(new Error('broken'))]]);
  const { port, logged } = await serve(routes);
  expect((await get(`http://127.0.0.1:${port}/`)).status).toBe(500);
  expect(logged).toContain('test server cannot answer: Error: broken');
});

describe('an address in use', () => {
  async function occupied(): Promise<{ port: number; free: () => Promise<void> }> {
    const blocker = createServer();
    await new Promise<void>((resolve) => {
      blocker.listen(0, '127.0.0.1', resolve);
    });
    const free = () => new Promise<void>((resolve) => void blocker.close(() => resolve()));
    return { port: (blocker.address() as AddressInfo).port, free };
  }

  function waiting(
    clock: ManualClock,
    port: number,
  ): { logged: string[]; listening: Promise<number>; stop: () => Promise<void> } {
    const controller = new AbortController();
    const logged: string[] = [];
    const { promise: listening, resolve } = Promise.withResolvers<number>();
    const server = new HttpServer({
      name: 'test server',
      address: address('127.0.0.1'),
      port,
      routes: new Map(),
      clock,
      log: {
        info: (message) => void logged.push(message),
        error: (message, error) =>
          void logged.push(`${message}: ${(error as NodeJS.ErrnoException).code}`),
      },
      onListening: resolve,
    });
    const ended = server.run(controller.signal);
    const stop = async () => {
      controller.abort();
      await ended;
    };
    onTestFinished(stop);
    return { logged, listening, stop };
  }

  /** Moves the clock on until the server waits again: binding is answered in a later turn. */
  async function untilWaiting(clock: ManualClock): Promise<void> {
    while (clock.pending() === 0) await clock.advance(0);
  }

  test('is logged once and tried again every 5 s', async () => {
    const clock = manualClock();
    const { port, free } = await occupied();
    const { logged, listening } = waiting(clock, port);
    await untilWaiting(clock);
    await clock.advance(5_000);
    await untilWaiting(clock);
    expect(logged).toEqual(['test server cannot listen, retrying: EADDRINUSE']);
    await free();
    await clock.advance(4_999);
    expect(clock.pending()).toBe(1);
    await clock.advance(1);
    expect(await listening).toBe(port);
  });
  test('does not keep the server from ending', async () => {
    const clock = manualClock();
    const { port, free } = await occupied();
    const { stop } = waiting(clock, port);
    await untilWaiting(clock);
    await stop();
    expect(clock.pending()).toBe(0);
    await free();
  });
});

describe('an abort', () => {
  test('ends the server at once, whatever is connected: no time passes', async () => {
    const routes: Routes = new Map([['/', () => new Promise(() => {})]]);
    const { port, stop } = await serve(routes, '127.0.0.1', manualClock());
    const silent = connect(port, '127.0.0.1');
    await new Promise((resolve) => silent.once('connect', resolve));
    const unanswered = httpRequest({ port, host: '127.0.0.1', path: '/' });
    const cut = new Promise((resolve) => unanswered.once('error', resolve));
    unanswered.end();
    const idle = httpRequest({
      port,
      host: '127.0.0.1',
      path: '/missing',
      headers: { connection: 'keep-alive' },
    });
    await new Promise((resolve) =>
      idle.end().once('response', (response) => response.resume().once('end', resolve)),
    );
    await stop();
    expect(await cut).toBeInstanceOf(Error);
    silent.destroy();
  });
});
