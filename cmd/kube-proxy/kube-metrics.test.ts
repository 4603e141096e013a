import { expect, test } from 'vitest';
import type { RequestTarget } from '../../pkg/kube/metrics.ts';
import { createMetrics, type Metrics } from '../../pkg/metrics/metrics.ts';
import { type ManualClock, manualClock } from '../../pkg/runner/manual-clock.ts';
import { createKubeMetrics } from './kube-metrics.ts';

const target: RequestTarget = { method: 'GET', host: 'api:6443' };

function counting(): {
  clock: ManualClock;
  metrics: Metrics;
  counts: ReturnType<typeof createKubeMetrics>;
} {
  const clock = manualClock();
  const metrics = createMetrics();
  return { clock, metrics, counts: createKubeMetrics(metrics, clock) };
}

test('statuses that HTTP does not know are counted by their first digit', async () => {
  const { metrics, counts } = counting();
  for (let status = 100; status < 1_000; status++) {
    counts.requested({ ...target, code: `${status}`, duration: 0.5, isRetry: true });
    counts.failed('Node', `${status}`);
  }
  const text = await metrics.exposition.text();
  for (const code of ['"418"', '"5xx"', '"9xx"']) {
    expect(text).toContain(`requests_total{code=${code},`);
    expect(text).toContain(`retries_total{code=${code},`);
  }
  expect(text).toContain('watch_failures_total{kind="Node",reason="4xx"}');
  expect(text).not.toContain('(other)');
  expect(text).not.toContain('"499"');
});

test('requests to the API are counted', async () => {
  const { metrics, counts } = counting();
  counts.requested({ ...target, code: '401', duration: 0.5, isRetry: false });
  counts.requested({ ...target, code: '200', duration: 0.5, isRetry: true });
  counts.rateLimited({ ...target, duration: 0.2 });
  counts.sent({ ...target, size: 65 });
  counts.received({ ...target, size: 20_000_000 });
  counts.listed('Service', 'stream');
  counts.failed('Node', '410');
  counts.eventsDropped(2);
  const text = await metrics.exposition.text();
  for (const line of [
    'rest_client_requests_total{code="200",method="GET",host="api:6443"} 1',
    'rest_client_requests_total{code="401",method="GET",host="api:6443"} 1',
    'rest_client_request_retries_total{code="200",verb="GET",host="api:6443"} 1',
    'rest_client_request_duration_seconds_sum{verb="GET",host="api:6443"} 1',
    'rest_client_rate_limiter_duration_seconds_sum{verb="GET",host="api:6443"} 0.2',
    'rest_client_request_size_bytes_bucket{le="64",verb="GET",host="api:6443"} 0',
    'rest_client_request_size_bytes_bucket{le="256",verb="GET",host="api:6443"} 1',
    'rest_client_response_size_bytes_bucket{le="16777216",verb="GET",host="api:6443"} 0',
    'rest_client_response_size_bytes_sum{verb="GET",host="api:6443"} 20000000',
    'kubeproxy_ipvs_lists_total{kind="Service",how="stream"} 1',
    'kubeproxy_ipvs_watch_failures_total{kind="Node",reason="410"} 1',
    'kubeproxy_ipvs_events_dropped_total 2',
  ]) {
    expect(text).toContain(`\n${line}\n`);
  }
  expect(text).not.toContain('retries_total{code="401"');
});

test('the certificate of the exec plug-in has a time to live, an infinite one where there is none', async () => {
  const { clock, metrics, counts } = counting();
  const ttl = async () =>
    /^rest_client_exec_plugin_ttl_seconds (.+)$/m.exec(await metrics.exposition.text())?.[1];
  expect(await ttl()).toBe('+Inf');
  counts.pluginCertificate(clock.wallClock() + 60_000);
  expect(await ttl()).toBe('60');
  await clock.advance(90_000);
  expect(await ttl()).toBe('-30');
  counts.pluginCertificate(undefined);
  expect(await ttl()).toBe('+Inf');
});

test('credentials are counted', async () => {
  const { metrics, counts } = counting();
  counts.pluginCalled({ status: 'plugin_execution_error', code: -1 });
  counts.pluginCertificateRotated(3_600);
  for (const reload of ['unchanged', 'updated', 'read_error', 'empty', 'ca_parse_error'] as const)
    counts.authorityReloaded(reload);
  const text = await metrics.exposition.text();
  for (const line of [
    'rest_client_exec_plugin_call_total{code="-1",call_status="plugin_execution_error"} 1',
    'rest_client_exec_plugin_certificate_rotation_age_bucket{le="1800"} 0',
    'rest_client_exec_plugin_certificate_rotation_age_bucket{le="3600"} 1',
    'rest_client_transport_ca_reload_total{result="success",reason="unchanged"} 1',
    'rest_client_transport_ca_reload_total{result="success",reason="updated"} 1',
    'rest_client_transport_ca_reload_total{result="failure",reason="read_error"} 1',
    'rest_client_transport_ca_reload_total{result="failure",reason="empty"} 1',
    'rest_client_transport_ca_reload_total{result="failure",reason="ca_parse_error"} 1',
  ]) {
    expect(text).toContain(`\n${line}\n`);
  }
});
