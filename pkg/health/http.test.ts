import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { get, serve } from '../../test/support/http-server.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { type ManualClock, manualClock } from '../runner/manual-clock.ts';
import { HttpServer, type Routes } from './http.ts';
import { ProxyHealth } from './proxy-health.ts';
import { textReply } from './reply.ts';
import { healthRoutes } from './routes.ts';

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
      address: ip('127.0.0.1'),
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
