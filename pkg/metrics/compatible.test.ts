import { expect, test } from 'vitest';
import { type ExpectedMetric, expectMetric } from '../../test/support/expected-metric.ts';
import { createMetrics } from './metrics.ts';

// The metrics of upstream's kube-proxy in IPVS mode, row by row as its specification has them; dashboards and alerts match on them.

const doubling = Array.from({ length: 15 }, (_, index) => 0.001 * 2 ** index);
const step = (first: number, last: number, by: number) =>
  Array.from({ length: (last - first) / by + 1 }, (_, index) => first + index * by);
const programming = [0.25, 0.5, ...step(1, 59, 1), ...step(60, 115, 5), ...step(120, 300, 30)];

const none: readonly number[] = [];
const family = { ip_family: 'IPv4' };

const rows: readonly ExpectedMetric[] = [
  {
    name: 'kubeproxy_sync_proxy_rules_duration_seconds',
    type: 'histogram',
    labels: ['ip_family'],
    help: '[ALPHA] SyncProxyRules latency in seconds',
    report: (m) => m.syncDuration.observe(family, 1),
    buckets: doubling,
  },
  {
    name: 'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds',
    type: 'gauge',
    labels: ['ip_family'],
    help: '[ALPHA] The last time a sync of proxy rules was queued',
    report: (m) => m.lastQueued.set(family, 1),
    buckets: none,
  },
  {
    name: 'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
    type: 'gauge',
    labels: ['ip_family'],
    help: '[ALPHA] The last time proxy rules were successfully synced',
    report: (m) => m.lastSync.set(family, 1),
    buckets: none,
  },
  {
    name: 'kubeproxy_sync_proxy_rules_endpoint_changes_pending',
    type: 'gauge',
    labels: [],
    help: '[ALPHA] Pending proxy rules Endpoint changes',
    report: (m) => m.endpointChangesPending.set({}, 1),
    buckets: none,
  },
  {
    name: 'kubeproxy_sync_proxy_rules_endpoint_changes_total',
    type: 'counter',
    labels: [],
    help: '[ALPHA] Cumulative proxy rules Endpoint changes',
    report: (m) => m.endpointChanges.inc({}),
    buckets: none,
  },
  {
    name: 'kubeproxy_sync_proxy_rules_service_changes_pending',
    type: 'gauge',
    labels: [],
    help: '[ALPHA] Pending proxy rules Service changes',
    report: (m) => m.serviceChangesPending.set({}, 1),
    buckets: none,
  },
  {
    name: 'kubeproxy_sync_proxy_rules_service_changes_total',
    type: 'counter',
    labels: [],
    help: '[ALPHA] Cumulative proxy rules Service changes',
    report: (m) => m.serviceChanges.inc({}),
    buckets: none,
  },
  {
    name: 'kubeproxy_proxy_healthz_total',
    type: 'counter',
    labels: ['code'],
    help: '[ALPHA] Cumulative proxy healthz HTTP status',
    report: (m) => m.healthz.inc({ code: '200' }),
    buckets: none,
  },
  {
    name: 'kubeproxy_proxy_livez_total',
    type: 'counter',
    labels: ['code'],
    help: '[ALPHA] Cumulative proxy livez HTTP status',
    report: (m) => m.livez.inc({ code: '200' }),
    buckets: none,
  },
  {
    name: 'kubeproxy_network_programming_duration_seconds',
    type: 'histogram',
    labels: ['ip_family'],
    help: '[ALPHA] In Cluster Network Programming Latency in seconds',
    report: (m) => m.networkProgrammingDuration.observe(family, 1),
    buckets: programming,
  },
  {
    name: 'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
    type: 'gauge',
    labels: ['ip_family', 'traffic_policy'],
    help: '[ALPHA] Number of services with a Local traffic policy and no endpoints',
    report: (m) => m.noLocalEndpoints.set({ ...family, traffic_policy: 'internal' }, 1),
    buckets: none,
  },
  {
    name: 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total',
    type: 'counter',
    labels: ['ip_family'],
    help: '[ALPHA] Cumulative proxy iptables restore failures',
    report: (m) => m.restoreFailures.inc(family),
    buckets: none,
  },
  {
    name: 'kubeproxy_conntrack_reconciler_sync_duration_seconds',
    type: 'histogram',
    labels: ['ip_family'],
    help: '[ALPHA] ReconcileConntrackFlowsLatency latency in seconds',
    report: (m) => m.conntrackDuration.observe(family, 1),
    buckets: doubling,
  },
  {
    name: 'kubeproxy_conntrack_reconciler_deleted_entries_total',
    type: 'counter',
    labels: ['ip_family'],
    help: '[ALPHA] Cumulative conntrack flows deleted by conntrack reconciler',
    report: (m) => m.conntrackDeleted.inc(family),
    buckets: none,
  },
  {
    name: 'kubernetes_build_info',
    type: 'gauge',
    labels: [
      'build_date',
      'compiler',
      'git_commit',
      'git_tree_state',
      'git_version',
      'go_version',
      'major',
      'minor',
      'platform',
    ],
    help: "[BETA] A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.",
    report: (m) =>
      m.buildInfo.set(
        {
          major: '1',
          minor: '37',
          git_version: 'v1.37.0',
          git_commit: '0123abc',
          git_tree_state: 'clean',
          build_date: '2026-01-01T00:00:00Z',
          go_version: 'go1.26',
          compiler: 'gc',
          platform: 'linux/amd64',
        },
        1,
      ),
    buckets: none,
  },
  {
    name: 'kubernetes_feature_enabled',
    type: 'gauge',
    labels: ['name', 'stage'],
    help: '[BETA] This metric records the data about the stage and enablement of a k8s feature.',
    report: (m) => m.featureEnabled.set({ name: 'A', stage: 'BETA' }, 1),
    buckets: none,
  },
  {
    name: 'registered_metrics_total',
    type: 'counter',
    labels: ['deprecated_version', 'stability_level'],
    help: '[BETA] The count of registered metrics broken by stability level and deprecation version.',
    report: () => undefined,
    buckets: none,
  },
  {
    name: 'hidden_metrics_total',
    type: 'counter',
    labels: [],
    help: '[BETA] The count of hidden metrics.',
    report: () => undefined,
    buckets: none,
  },
];

test.each(rows)('$name is a $type', expectMetric);

test.each([
  ...['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_virtual_memory_bytes'],
  ...['process_virtual_memory_max_bytes', 'process_start_time_seconds'],
  ...['process_open_fds', 'process_max_fds'],
])('%s, which every dashboard has, is there with a number', async (name) => {
  const text = await createMetrics().exposition.text();
  expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
});
