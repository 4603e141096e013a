import type { Definition } from './definition.ts';

/** 5 ms to a minute, in seconds. */
const durations = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** 64 bytes to 16 MiB. */
const sizes = [64, 256, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];

/** 10 minutes to 4 years, in seconds: rotated much too often, as usual, or hardly ever. */
const ages = [
  600, 1800, 3600, 14_400, 86_400, 604_800, 2_592_000, 7_776_000, 15_552_000, 31_104_000,
  124_416_000,
];

/**
 * The metrics of Kubernetes' API client, which all its components have. `docs/operating.md` names those of client-go that have no
 * meaning here.
 */
export const restClient = {
  requests: {
    type: 'counter',
    name: 'rest_client_requests_total',
    stability: 'BETA',
    help: 'Number of HTTP requests, partitioned by status code, method, and host.',
    labels: ['code', 'method', 'host'],
  },
  requestRetries: {
    type: 'counter',
    name: 'rest_client_request_retries_total',
    stability: 'ALPHA',
    help: 'Number of request retries, partitioned by status code, verb, and host.',
    labels: ['code', 'verb', 'host'],
  },
  requestDuration: {
    type: 'histogram',
    name: 'rest_client_request_duration_seconds',
    stability: 'BETA',
    help: 'Request latency in seconds. Broken down by verb, and host.',
    labels: ['verb', 'host'],
    buckets: durations,
  },
  requestSize: {
    type: 'histogram',
    name: 'rest_client_request_size_bytes',
    stability: 'ALPHA',
    help: 'Request size in bytes. Broken down by verb and host.',
    labels: ['verb', 'host'],
    buckets: sizes,
  },
  responseSize: {
    type: 'histogram',
    name: 'rest_client_response_size_bytes',
    stability: 'ALPHA',
    help: 'Response size in bytes. Broken down by verb and host.',
    labels: ['verb', 'host'],
    buckets: sizes,
  },
  rateLimiterDuration: {
    type: 'histogram',
    name: 'rest_client_rate_limiter_duration_seconds',
    stability: 'ALPHA',
    help: 'Client side rate limiter latency in seconds. Broken down by verb, and host.',
    labels: ['verb', 'host'],
    buckets: durations,
  },
  execPluginTtl: {
    type: 'gauge',
    name: 'rest_client_exec_plugin_ttl_seconds',
    stability: 'ALPHA',
    help: 'Gauge of the shortest TTL (time-to-live) of the client certificate(s) managed by the auth exec plugin. The value is in seconds until certificate expiry (negative if already expired). If auth exec plugins are unused or manage no TLS certificates, the value will be +INF.',
    labels: [],
  },
  execPluginRotationAge: {
    type: 'histogram',
    name: 'rest_client_exec_plugin_certificate_rotation_age',
    stability: 'ALPHA',
    help: 'Histogram of the number of seconds the last auth exec plugin client certificate lived before being rotated. If auth exec plugin client certificates are unused, histogram will contain no data.',
    labels: [],
    buckets: ages,
  },
  execPluginCalls: {
    type: 'counter',
    name: 'rest_client_exec_plugin_call_total',
    stability: 'ALPHA',
    help: 'Number of calls to an exec plugin, partitioned by the type of event encountered (no_error, plugin_execution_error, plugin_not_found_error, client_internal_error) and an optional exit code. The exit code will be set to 0 if and only if the plugin call was successful.',
    labels: ['code', 'call_status'],
  },
  authorityReloads: {
    type: 'counter',
    name: 'rest_client_transport_ca_reload_total',
    stability: 'ALPHA',
    help: 'Number of times a CA reload is attempted, partitioned by the result and reason for the reload attempt',
    labels: ['result', 'reason'],
  },
} as const satisfies Record<string, Definition>;
