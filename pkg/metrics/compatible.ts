import type { Definition } from './definition.ts';

/** Buckets that begin at `start` and grow by `factor`. */
function exponential(
  start: number,
  { factor, count }: { factor: number; count: number },
): number[] {
  return Array.from({ length: count }, (_, index) => start * factor ** index);
}

/** Buckets from `start` to `end` in steps of `step`. */
function linear(start: number, { end, step }: { end: number; step: number }): number[] {
  const count = Math.floor((end - start) / step) + 1;
  return Array.from({ length: count }, (_, index) => start + index * step);
}

/** 1 ms to 16 s. */
const syncBuckets = exponential(0.001, { factor: 2, count: 15 });

/** A quarter of a second to five minutes, with small steps below a minute. */
const programmingBuckets = [
  0.25,
  0.5,
  ...linear(1, { end: 59, step: 1 }),
  ...linear(60, { end: 115, step: 5 }),
  ...linear(120, { end: 300, step: 30 }),
];

/** The metrics of upstream's kube-proxy in IPVS mode. Dashboards and alerts use their names. */
export const compatible = {
  syncDuration: {
    type: 'histogram',
    name: 'kubeproxy_sync_proxy_rules_duration_seconds',
    stability: 'ALPHA',
    help: 'SyncProxyRules latency in seconds',
    labels: ['ip_family'],
    buckets: syncBuckets,
  },
  lastQueued: {
    type: 'gauge',
    name: 'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds',
    stability: 'ALPHA',
    help: 'The last time a sync of proxy rules was queued',
    labels: ['ip_family'],
  },
  lastSync: {
    type: 'gauge',
    name: 'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
    stability: 'ALPHA',
    help: 'The last time proxy rules were successfully synced',
    labels: ['ip_family'],
  },
  endpointChangesPending: {
    type: 'gauge',
    name: 'kubeproxy_sync_proxy_rules_endpoint_changes_pending',
    stability: 'ALPHA',
    help: 'Pending proxy rules Endpoint changes',
    labels: [],
  },
  endpointChanges: {
    type: 'counter',
    name: 'kubeproxy_sync_proxy_rules_endpoint_changes_total',
    stability: 'ALPHA',
    help: 'Cumulative proxy rules Endpoint changes',
    labels: [],
  },
  serviceChangesPending: {
    type: 'gauge',
    name: 'kubeproxy_sync_proxy_rules_service_changes_pending',
    stability: 'ALPHA',
    help: 'Pending proxy rules Service changes',
    labels: [],
  },
  serviceChanges: {
    type: 'counter',
    name: 'kubeproxy_sync_proxy_rules_service_changes_total',
    stability: 'ALPHA',
    help: 'Cumulative proxy rules Service changes',
    labels: [],
  },
  healthz: {
    type: 'counter',
    name: 'kubeproxy_proxy_healthz_total',
    stability: 'ALPHA',
    help: 'Cumulative proxy healthz HTTP status',
    labels: ['code'],
  },
  livez: {
    type: 'counter',
    name: 'kubeproxy_proxy_livez_total',
    stability: 'ALPHA',
    help: 'Cumulative proxy livez HTTP status',
    labels: ['code'],
  },
  networkProgrammingDuration: {
    type: 'histogram',
    name: 'kubeproxy_network_programming_duration_seconds',
    stability: 'ALPHA',
    help: 'In Cluster Network Programming Latency in seconds',
    labels: ['ip_family'],
    buckets: programmingBuckets,
  },
  noLocalEndpoints: {
    type: 'gauge',
    name: 'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
    stability: 'ALPHA',
    help: 'Number of services with a Local traffic policy and no endpoints',
    labels: ['ip_family', 'traffic_policy'],
  },
  restoreFailures: {
    type: 'counter',
    name: 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total',
    stability: 'ALPHA',
    help: 'Cumulative proxy iptables restore failures',
    labels: ['ip_family'],
  },
  conntrackDuration: {
    type: 'histogram',
    name: 'kubeproxy_conntrack_reconciler_sync_duration_seconds',
    stability: 'ALPHA',
    help: 'ReconcileConntrackFlowsLatency latency in seconds',
    labels: ['ip_family'],
    buckets: syncBuckets,
  },
  conntrackDeleted: {
    type: 'counter',
    name: 'kubeproxy_conntrack_reconciler_deleted_entries_total',
    stability: 'ALPHA',
    help: 'Cumulative conntrack flows deleted by conntrack reconciler',
    labels: ['ip_family'],
  },
  buildInfo: {
    type: 'gauge',
    name: 'kubernetes_build_info',
    stability: 'BETA',
    help: "A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.",
    labels: [
      'major',
      'minor',
      'git_version',
      'git_commit',
      'git_tree_state',
      'build_date',
      'go_version',
      'compiler',
      'platform',
    ],
  },
  featureEnabled: {
    type: 'gauge',
    name: 'kubernetes_feature_enabled',
    stability: 'BETA',
    help: 'This metric records the data about the stage and enablement of a k8s feature.',
    labels: ['name', 'stage'],
  },
  registeredMetrics: {
    type: 'counter',
    name: 'registered_metrics_total',
    stability: 'BETA',
    help: 'The count of registered metrics broken by stability level and deprecation version.',
    labels: ['stability_level', 'deprecated_version'],
  },
  hiddenMetrics: {
    type: 'counter',
    name: 'hidden_metrics_total',
    stability: 'BETA',
    help: 'The count of hidden metrics.',
    labels: [],
  },
} as const satisfies Record<string, Definition>;
