import { describe, expect, test } from 'vitest';
import { type Definition, printHelp } from './definition.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { table } from './table.ts';

const rows: readonly Definition[] = Object.values(table);

/** The lines of one metric. */
async function lines(metrics: Metrics, name: string): Promise<string[]> {
  const text = await metrics.exposition.text();
  return text.split('\n').filter((line) => line.startsWith(name));
}

/** The upper bounds of a histogram's buckets. */
async function bounds(metrics: Metrics, name: string): Promise<number[]> {
  const buckets = await lines(metrics, `${name}_bucket`);
  return buckets.map((line) => Number(/le="([^"]+)"/.exec(line)?.[1]?.replace('+Inf', 'Infinity')));
}

describe('a scrape', () => {
  test('is in the text format', () => {
    expect(createMetrics().exposition.contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  });
  test.each(rows.map((row) => [row.name, row] as const))('names %s', async (name, row) => {
    const text = await createMetrics().exposition.text();
    expect(text).toContain(`# HELP ${name} ${printHelp(row)}\n# TYPE ${name} ${row.type}\n`);
  });
  test('says 0 for what has no labels and did not happen', async () => {
    const metrics = createMetrics();
    expect(await lines(metrics, 'kubeproxy_ipvs_first_sync_complete')).toEqual([
      'kubeproxy_ipvs_first_sync_complete 0',
    ]);
  });
  test('two programs in one process count apart', async () => {
    const one = createMetrics();
    const other = createMetrics();
    one.failedServices.set({}, 3);
    expect(await lines(one, 'kubeproxy_ipvs_failed_services')).toEqual([
      'kubeproxy_ipvs_failed_services 3',
    ]);
    expect(await lines(other, 'kubeproxy_ipvs_failed_services')).toEqual([
      'kubeproxy_ipvs_failed_services 0',
    ]);
  });
});

describe('what is counted is scraped', () => {
  test('counters', async () => {
    const metrics = createMetrics();
    metrics.healthz.inc({ code: '200' });
    metrics.healthz.inc({ code: '200' });
    metrics.healthz.inc({ code: '503' }, 3);
    metrics.serviceChanges.inc({});
    expect(await lines(metrics, 'kubeproxy_proxy_healthz_total')).toEqual([
      'kubeproxy_proxy_healthz_total{code="200"} 2',
      'kubeproxy_proxy_healthz_total{code="503"} 3',
    ]);
    expect(await lines(metrics, 'kubeproxy_sync_proxy_rules_service_changes_total')).toEqual([
      'kubeproxy_sync_proxy_rules_service_changes_total 1',
    ]);
  });
  test('gauges', async () => {
    const metrics = createMetrics();
    metrics.noLocalEndpoints.set({ ip_family: 'IPv6', traffic_policy: 'external' }, 2);
    metrics.conflicts.set({}, 4);
    metrics.conflicts.dec({});
    expect(await lines(metrics, 'kubeproxy_sync_proxy_rules_no_local')).toEqual([
      'kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv6",traffic_policy="external"} 2',
    ]);
    expect(await lines(metrics, 'kubeproxy_ipvs_conflicts')).toEqual([
      'kubeproxy_ipvs_conflicts 3',
    ]);
  });
  test('histograms', async () => {
    const metrics = createMetrics();
    metrics.syncDuration.observe({ ip_family: 'IPv4' }, 0.003);
    const name = 'kubeproxy_sync_proxy_rules_duration_seconds';
    const text = await lines(metrics, name);
    expect(text).toContain(`${name}_bucket{le="0.002",ip_family="IPv4"} 0`);
    expect(text).toContain(`${name}_bucket{le="0.004",ip_family="IPv4"} 1`);
    expect(text).toContain(`${name}_sum{ip_family="IPv4"} 0.003`);
    expect(text).toContain(`${name}_count{ip_family="IPv4"} 1`);
  });
});

describe('a label whose values others choose', () => {
  test.each<[string, (metrics: Metrics, value: string) => void, string]>([
    [
      'of a counter',
      (metrics, host) => metrics.requests.inc({ code: '200', method: 'GET', host }),
      'rest_client_requests_total',
    ],
    [
      'of a gauge',
      (metrics, kind) => metrics.invalidObjects.set({ kind }, 7),
      'kubeproxy_ipvs_invalid_objects',
    ],
    [
      'of a histogram',
      (metrics, host) => metrics.requestDuration.observe({ verb: 'GET', host }, 1),
      'rest_client_request_duration_seconds_count',
    ],
  ])('%s makes so many series and no more', async (_name, report, name) => {
    const metrics = createMetrics();
    for (let index = 0; index < 300; index++) report(metrics, `value${index}`);
    for (let index = 0; index < 3; index++) report(metrics, 'value7');
    report(metrics, 'x'.repeat(1_000));
    const found = await lines(metrics, `${name}{`);
    expect(found).toHaveLength(101);
    expect(found.at(-1)).toContain('"(other)"');
    expect(found.some((line) => line.includes('"value7"'))).toBe(true);
  });

  test('is one thing, how long a value may be another', async () => {
    const metrics = createMetrics();
    metrics.invalidObjects.set({ kind: 'x'.repeat(1_000) }, 1);
    expect(await lines(metrics, 'kubeproxy_ipvs_invalid_objects')).toEqual([
      'kubeproxy_ipvs_invalid_objects{kind="(other)"} 1',
    ]);
  });
});

test('indicators are scraped apart', async () => {
  const metrics = createMetrics();
  metrics.healthcheck.set({ name: 'ping', type: 'healthz' }, 1);
  const line = 'kubernetes_healthcheck{name="ping",type="healthz"} 1';
  expect(await metrics.indicators.text()).toContain(`\n${line}\n`);
  expect(await metrics.exposition.text()).not.toContain('kubernetes_healthcheck');
});

describe('buckets', () => {
  test('of a sync double from 1 ms', async () => {
    const metrics = createMetrics();
    metrics.syncDuration.observe({ ip_family: 'IPv4' }, 1);
    const found = await bounds(metrics, 'kubeproxy_sync_proxy_rules_duration_seconds');
    expect(found).toHaveLength(16);
    expect([found[0], found[1], found[14], found[15]]).toEqual([0.001, 0.002, 16.384, Infinity]);
  });
  test('of programming latency are those of the specification', async () => {
    const metrics = createMetrics();
    metrics.networkProgrammingDuration.observe({ ip_family: 'IPv4' }, 1);
    const found = await bounds(metrics, 'kubeproxy_network_programming_duration_seconds');
    expect(found).toHaveLength(2 + 59 + 12 + 7 + 1);
    expect(found.slice(0, 4)).toEqual([0.25, 0.5, 1, 2]);
    expect(found.slice(59, 64)).toEqual([58, 59, 60, 65, 70]);
    expect(found.slice(-9)).toEqual([115, 120, 150, 180, 210, 240, 270, 300, Infinity].slice(-9));
  });
});

describe('the process', () => {
  test.each([
    ['process_cpu_seconds_total', 0.01, 1e6],
    ['process_start_time_seconds', 1.6e9, Date.now() / 1000],
    ['process_resident_memory_bytes', 1e7, 1e11],
    ['process_virtual_memory_bytes', 1e8, 1e15],
    ['process_open_fds', 3, 1e5],
    ['process_max_fds', 3, 1e10],
    ['nodejs_heap_size_used_bytes', 1e6, 1e11],
    ['nodejs_eventloop_active_seconds_total', 0, 1e6],
  ])('%s', async (name, low, high) => {
    const metrics = createMetrics();
    const [line = ''] = await lines(metrics, name);
    const value = Number(line.split(' ')[1]);
    expect(value).toBeGreaterThanOrEqual(low);
    expect(value).toBeLessThan(high);
  });
  test('is read anew at each scrape, not added up', async () => {
    const metrics = createMetrics();
    let line = '';
    for (let scrape = 0; scrape < 30; scrape++) [line = ''] = await lines(metrics, 'process_cpu');
    const { user, system } = process.cpuUsage();
    expect(Number(line.split(' ')[1])).toBeLessThanOrEqual((user + system) / 1e6);
  });
});
