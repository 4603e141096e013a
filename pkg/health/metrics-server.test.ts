import { describe, expect, test } from 'vitest';
import { get, serve } from '../../test/support/http-server.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { manualClock } from '../runner/manual-clock.ts';
import type { Progress } from '../runner/progress.ts';
import type { DebugOptions, ProfileSource } from './debug-routes.ts';
import { type MetricsPages, metricsRoutes } from './routes.ts';
import type { StatusSource } from './status-route.ts';

const noStatus: StatusSource = {
  isOpen: false,
  answer: async () => ({ json: '{}' }),
  explain: async () => ({ format: 'json', body: '{}' }),
  page: async () => ({ html: '<p>', contentSecurityPolicy: "default-src 'none'" }),
};

async function start(
  pages: Partial<MetricsPages> = {},
  progress: readonly Progress[] = [],
): Promise<string> {
  const configuration = { mode: 'ipvs', ipvs: { scheduler: 'rr' } };
  const routes = metricsRoutes({
    metrics: createMetrics(),
    configz: () => ({ 'kubeproxy.config.k8s.io': configuration }),
    statusz: () => ({
      started: Date.UTC(2025, 0, 1),
      now: Date.UTC(2025, 0, 1, 26, 3, 4),
      runtime: 'node v24',
      binaryVersion: 'v1.37.0+ipvs.1',
      emulationVersion: '1.37',
      progress,
    }),
    flagz: () => ({ v: '2', 'proxy-mode': 'ipvs' }),
    status: noStatus,
    debug: undefined,
    printYaml: (value) => `yaml of ${JSON.stringify(value)}`,
    ...pages,
  });
  const { port } = await serve(routes);
  return `http://127.0.0.1:${port}`;
}

test('/proxyMode is ipvs, without a newline', async () => {
  const { status, headers, body } = await get(`${await start()}/proxyMode`);
  expect([status, body]).toEqual([200, 'ipvs']);
  expect(headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
});

test('/healthz is ok, and shows in /metrics/slis', async () => {
  const url = await start();
  const { status, body } = await get(`${url}/healthz`);
  expect([status, body]).toEqual([200, 'ok']);
  const slis = await get(`${url}/metrics/slis`);
  expect(slis.body).toContain('kubernetes_healthcheck{name="ping",type="healthz"} 1\n');
});

test('/configz is the configuration', async () => {
  const { headers, body } = await get(`${await start()}/configz`);
  expect(headers.get('content-type')).toBe('application/json');
  expect(body).toBe('{"kubeproxy.config.k8s.io":{"mode":"ipvs","ipvs":{"scheduler":"rr"}}}');
});

describe('/metrics', () => {
  const text = 'text/plain; version=0.0.4; charset=utf-8';
  const openMetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
  const prometheus =
    'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

  test.each([
    ['*/*', text],
    ['', text],
    ['text/html', text],
    ['text/plain;version=0.0.4', text],
    ['application/openmetrics-text', openMetrics],
    [prometheus, openMetrics],
    ['application/openmetrics-text;q=0.1,text/plain', text],
    ['application/openmetrics-text;q=0', text],
    ['application/openmetrics-text;version=9.9.9', text],
  ])('for Accept %j is %s', async (accept, type) => {
    const { status, headers, body } = await get(`${await start()}/metrics`, {
      headers: { accept },
    });
    expect([status, headers.get('content-type')]).toEqual([200, type]);
    expect(body).toContain('\nkubeproxy_ipvs_first_sync_complete 0\n');
    expect(body.endsWith('\n# EOF\n')).toBe(type === openMetrics);
  });

  test.each([
    ['gzip, deflate', 'gzip'],
    ['identity', null],
    ['gzip;q=0', null],
  ])('for Accept-Encoding %j is %s', async (encoding, expected) => {
    const url = await start();
    const headers = { 'accept-encoding': encoding };
    const answer = await get(`${url}/metrics`, { headers });
    expect(answer.headers.get('content-encoding')).toBe(expected);
    expect(answer.body).toContain('\nkubeproxy_ipvs_first_sync_complete 0\n');
    const length = Number(answer.headers.get('content-length'));
    expect(length < Buffer.byteLength(answer.body)).toBe(expected === 'gzip');
  });
});

describe('/statusz and /flagz', () => {
  const object = (as: string, type = 'json') =>
    `application/${type};g=config.k8s.io;v=v1beta1;as=${as}`;
  const warning = /^Warning: This endpoint is not meant to be machine parseable, .*$/m;

  test.each(['', '*/*', 'text/plain', 'text/html, text/*;q=0.1'])(
    'are text for Accept %j',
    async (accept) => {
      const url = await start();
      const status = await get(`${url}/statusz`, { headers: { accept } });
      expect(status.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(status.body).toMatch(/^\nkube-proxy statusz\n/);
      expect(status.body).toMatch(warning);
      expect(status.body).toMatch(/^Up(:|: |=| )26 hr 03 min 04 sec$/m);
      expect(status.body).toMatch(/^Binary version(:|: |=| )v1\.37\.0\+ipvs\.1$/m);
      expect(status.body).toMatch(/^Paths.*\/configz .*\/metrics .*\/statusz$/m);
      const flags = await get(`${url}/flagz`, { headers: { accept } });
      expect(flags.body).toMatch(/^\nkube-proxy flags\n/);
      expect(flags.body).toMatch(/^proxy-mode(:|: |=| )ipvs\nv(:|: |=| )2$/m);
    },
  );

  test('say how far work has come while it lasts, for people only', async () => {
    const working = [{ stage: 'reading Services', done: 1200, total: 5000 }];
    const url = await start({}, [...working, { stage: 'waiting', done: 0, total: undefined }]);
    expect((await get(`${url}/statusz`)).body).toMatch(
      /^Progress(:|: |=| )reading Services: 1,200 of 5,000 \(24 %\)\nProgress\1waiting\n$/m,
    );
    const json = await get(`${url}/statusz`, { headers: { accept: object('Statusz') } });
    expect(json.body).not.toMatch(/progress/i);
    expect((await get(`${await start()}/statusz`)).body).not.toContain('Progress');
  });

  test('are objects where those are asked for', async () => {
    const url = await start();
    const accept = object('Statusz');
    const status = await get(`${url}/statusz`, { headers: { accept } });
    expect(JSON.parse(status.body)).toMatchObject({
      kind: 'Statusz',
      apiVersion: 'config.k8s.io/v1beta1',
      metadata: { name: 'kube-proxy' },
      startTime: '2025-01-01T00:00:00Z',
      uptimeSeconds: 93_784,
      goVersion: 'node v24',
      binaryVersion: 'v1.37.0+ipvs.1',
      emulationVersion: '1.37',
    });
    const yaml = await get(`${url}/flagz`, { headers: { accept: object('Flagz', 'yaml') } });
    expect(yaml.headers.get('content-type')).toBe('application/yaml');
    expect(JSON.parse(yaml.body.slice('yaml of '.length))).toEqual({
      kind: 'Flagz',
      apiVersion: 'config.k8s.io/v1beta1',
      metadata: { name: 'kube-proxy' },
      flags: { v: '2', 'proxy-mode': 'ipvs' },
    });
  });

  test.each([
    'application/json',
    object('Flagz'),
    'application/json;g=config.k8s.io;v=v2;as=Statusz',
  ])('are nothing for Accept %j', async (accept) => {
    expect((await get(`${await start()}/statusz`, { headers: { accept } })).status).toBe(406);
  });

  test('are not there where their gates are off', async () => {
    const url = await start({ statusz: undefined, flagz: undefined });
    for (const path of ['/statusz', '/flagz']) expect((await get(url + path)).status).toBe(404);
  });
});

describe('/debug', () => {
  const paths = ['/debug/pprof/', '/debug/pprof/profile', '/debug/pprof/heap', '/debug/flags/v'];

  function debug(profiles: Partial<ProfileSource> = {}, levels: number[] = []): DebugOptions {
    const source: ProfileSource = {
      cpu: async (milliseconds) => Buffer.from(`cpu ${milliseconds}`),
      heap: async () => Buffer.from('heap'),
      ...profiles,
    };
    return {
      profiles: async () => source,
      setVerbosity: (level) => void levels.push(level),
      commandLine: ['kube-proxy', '--v=2'],
    };
  }

  test.each(paths)('%s is not there without profiling', async (path) => {
    expect((await get((await start()) + path)).status).toBe(404);
  });
  test('has profiles, as files', async () => {
    const url = await start({ debug: debug() });
    const cpu = await get(`${url}/debug/pprof/profile?seconds=1.5`);
    expect([cpu.status, cpu.body]).toEqual([200, 'cpu 1500']);
    expect(cpu.headers.get('content-type')).toBe('application/octet-stream');
    expect((await get(`${url}/debug/pprof/profile`)).body).toBe('cpu 30000');
    expect((await get(`${url}/debug/pprof/heap`)).body).toBe('heap');
    expect((await get(`${url}/debug/pprof`)).body).toContain('/debug/pprof/');
    expect((await get(`${url}/debug/pprof/cmdline`)).body).toBe('kube-proxy\0--v=2');
  });
  test('makes no profile that takes too long, and one of the processor at a time', async () => {
    const url = await start({ debug: debug({ cpu: async () => 'busy' }) });
    expect((await get(`${url}/debug/pprof/profile?seconds=301`)).status).toBe(400);
    expect((await get(`${url}/debug/pprof/profile?seconds=1`)).status).toBe(500);
  });
  test('a client waits for its profile longer than for anything else, and who goes away ends it', async () => {
    const clock = manualClock();
    const { promise: begun, resolve: begin } = Promise.withResolvers<AbortSignal>();
    const { promise: file, resolve: finish } = Promise.withResolvers<Uint8Array>();
    const cpu: ProfileSource['cpu'] = (_, signal) => {
      begin(signal);
      return file;
    };
    const routes = metricsRoutes({
      metrics: createMetrics(),
      configz: () => ({}),
      statusz: undefined,
      flagz: undefined,
      status: noStatus,
      debug: debug({ cpu }),
      printYaml: String,
    });
    const { port } = await serve(routes, '127.0.0.1', clock);
    const url = `http://127.0.0.1:${port}/debug/pprof/profile`;
    const answer = get(url);
    const signal = await begun;
    await clock.advance(30_000);
    expect(signal.aborted).toBe(false);
    finish(Buffer.from('whole'));
    expect((await answer).body).toBe('whole');
    await expect.poll(() => signal.aborted).toBe(true);
  });
  test('the verbosity can be set, by PUT alone', async () => {
    const levels: number[] = [];
    const url = `${await start({ debug: debug({}, levels) })}/debug/flags/v`;
    const put = (body: string) => get(url, { method: 'PUT', body });
    expect(await put('4')).toMatchObject({
      status: 200,
      body: 'successfully set klog.logging.verbosity to 4',
    });
    for (const body of ['', 'x', '-1', '4\n', '1'.repeat(4_000)])
      expect((await put(body)).status).toBe(400);
    expect((await put('1'.repeat(5_000))).status).toBe(413);
    expect((await get(url)).status).toBe(406);
    expect(levels).toEqual([4]);
  });
});
