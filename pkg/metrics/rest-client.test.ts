import { test } from 'vitest';
import { type ExpectedMetric, expectMetric } from '../../test/support/expected-metric.ts';

// The metrics of Kubernetes' API client, as k8s.io/component-base (metrics/prometheus/restclient) registers them.

const seconds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
const bytes = [64, 256, 512, ...Array.from({ length: 8 }, (_, index) => 1024 * 4 ** index)];
const hour = 60 * 60;
const day = 24 * hour;

const rows: readonly ExpectedMetric[] = [
  {
    name: 'rest_client_requests_total',
    type: 'counter',
    labels: ['code', 'host', 'method'],
    help: '[BETA] Number of HTTP requests, partitioned by status code, method, and host.',
    report: (m) => m.requests.inc({ code: '200', host: 'h', method: 'GET' }),
    buckets: [],
  },
  {
    name: 'rest_client_request_retries_total',
    type: 'counter',
    labels: ['code', 'host', 'verb'],
    help: '[ALPHA] Number of request retries, partitioned by status code, verb, and host.',
    report: (m) => m.requestRetries.inc({ code: '200', host: 'h', verb: 'GET' }),
    buckets: [],
  },
  {
    name: 'rest_client_request_duration_seconds',
    type: 'histogram',
    labels: ['host', 'verb'],
    help: '[BETA] Request latency in seconds. Broken down by verb, and host.',
    report: (m) => m.requestDuration.observe({ host: 'h', verb: 'GET' }, 1),
    buckets: seconds,
  },
  {
    name: 'rest_client_request_size_bytes',
    type: 'histogram',
    labels: ['host', 'verb'],
    help: '[ALPHA] Request size in bytes. Broken down by verb and host.',
    report: (m) => m.requestSize.observe({ host: 'h', verb: 'GET' }, 1),
    buckets: bytes,
  },
  {
    name: 'rest_client_response_size_bytes',
    type: 'histogram',
    labels: ['host', 'verb'],
    help: '[ALPHA] Response size in bytes. Broken down by verb and host.',
    report: (m) => m.responseSize.observe({ host: 'h', verb: 'GET' }, 1),
    buckets: bytes,
  },
  {
    name: 'rest_client_rate_limiter_duration_seconds',
    type: 'histogram',
    labels: ['host', 'verb'],
    help: '[ALPHA] Client side rate limiter latency in seconds. Broken down by verb, and host.',
    report: (m) => m.rateLimiterDuration.observe({ host: 'h', verb: 'GET' }, 1),
    buckets: seconds,
  },
  {
    name: 'rest_client_exec_plugin_ttl_seconds',
    type: 'gauge',
    labels: [],
    help: '[ALPHA] Gauge of the shortest TTL (time-to-live) of the client certificate(s) managed by the auth exec plugin. The value is in seconds until certificate expiry (negative if already expired). If auth exec plugins are unused or manage no TLS certificates, the value will be +INF.',
    report: (m) => m.execPluginTtl.set({}, 1),
    buckets: [],
  },
  {
    name: 'rest_client_exec_plugin_certificate_rotation_age',
    type: 'histogram',
    labels: [],
    help: '[ALPHA] Histogram of the number of seconds the last auth exec plugin client certificate lived before being rotated. If auth exec plugin client certificates are unused, histogram will contain no data.',
    report: (m) => m.execPluginRotationAge.observe({}, 1),
    buckets: [
      10 * 60,
      30 * 60,
      hour,
      4 * hour,
      day,
      7 * day,
      30 * day,
      90 * day,
      180 * day,
      360 * day,
      1440 * day,
    ],
  },
  {
    name: 'rest_client_exec_plugin_call_total',
    type: 'counter',
    labels: ['call_status', 'code'],
    help: '[ALPHA] Number of calls to an exec plugin, partitioned by the type of event encountered (no_error, plugin_execution_error, plugin_not_found_error, client_internal_error) and an optional exit code. The exit code will be set to 0 if and only if the plugin call was successful.',
    report: (m) => m.execPluginCalls.inc({ code: '0', call_status: 'no_error' }),
    buckets: [],
  },
  {
    name: 'rest_client_transport_ca_reload_total',
    type: 'counter',
    labels: ['reason', 'result'],
    help: '[ALPHA] Number of times a CA reload is attempted, partitioned by the result and reason for the reload attempt',
    report: (m) => m.authorityReloads.inc({ result: 'success', reason: 'updated' }),
    buckets: [],
  },
];

test.each(rows)('$name is a $type', expectMetric);
