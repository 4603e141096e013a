/** A metric: what it is called, what it says and how it is told apart. */
export interface Definition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The whole name, as it is scraped. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, for a histogram. */
  readonly buckets?: readonly number[];
}

/** `start`, then each the last one times `factor`. */
function exponential(
  start: number,
  { factor, count }: { factor: number; count: number },
): number[] {
  return Array.from({ length: count }, (_, index) => start * factor ** index);
}

/** From `start` to `end`, each `step` more than the last. */
function linear(start: number, { end, step }: { end: number; step: number }): number[] {
  const count = Math.floor((end - start) / step) + 1;
  return Array.from({ length: count }, (_, index) => start + index * step);
}

/** 1 ms to 16 s. */
const syncBuckets = exponential(0.001, { factor: 2, count: 15 });

/** A quarter of a second to five minutes, finest below one minute. */
const programmingBuckets = [
  0.25,
  0.5,
  ...linear(1, { end: 59, step: 1 }),
  ...linear(60, { end: 115, step: 5 }),
  ...linear(120, { end: 300, step: 30 }),
];

/** 5 ms to a minute. */
const requestBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** The metrics of upstream's kube-proxy in IPVS mode, under its names; dashboards and alerts match on them. */
const compatible = {
  syncDuration: {
    type: 'histogram',
    name: 'kubeproxy_sync_proxy_rules_duration_seconds',
    help: 'SyncProxyRules latency in seconds',
    labels: ['ip_family'],
    buckets: syncBuckets,
  },
  lastQueued: {
    type: 'gauge',
    name: 'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds',
    help: 'The last time a sync of proxy rules was queued',
    labels: ['ip_family'],
  },
  lastSync: {
    type: 'gauge',
    name: 'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
    help: 'The last time proxy rules were successfully synced',
    labels: ['ip_family'],
  },
  endpointChangesPending: {
    type: 'gauge',
    name: 'kubeproxy_sync_proxy_rules_endpoint_changes_pending',
    help: 'Pending proxy rules Endpoint changes',
    labels: [],
  },
  endpointChanges: {
    type: 'counter',
    name: 'kubeproxy_sync_proxy_rules_endpoint_changes_total',
    help: 'Cumulative proxy rules Endpoint changes',
    labels: [],
  },
  serviceChangesPending: {
    type: 'gauge',
    name: 'kubeproxy_sync_proxy_rules_service_changes_pending',
    help: 'Pending proxy rules Service changes',
    labels: [],
  },
  serviceChanges: {
    type: 'counter',
    name: 'kubeproxy_sync_proxy_rules_service_changes_total',
    help: 'Cumulative proxy rules Service changes',
    labels: [],
  },
  healthz: {
    type: 'counter',
    name: 'kubeproxy_proxy_healthz_total',
    help: 'Cumulative proxy healthz HTTP status',
    labels: ['code'],
  },
  livez: {
    type: 'counter',
    name: 'kubeproxy_proxy_livez_total',
    help: 'Cumulative proxy livez HTTP status',
    labels: ['code'],
  },
  networkProgrammingDuration: {
    type: 'histogram',
    name: 'kubeproxy_network_programming_duration_seconds',
    help: 'In Cluster Network Programming Latency in seconds',
    labels: ['ip_family'],
    buckets: programmingBuckets,
  },
  noLocalEndpoints: {
    type: 'gauge',
    name: 'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
    help: 'Number of services with a Local traffic policy and no endpoints',
    labels: ['ip_family', 'traffic_policy'],
  },
  restoreFailures: {
    type: 'counter',
    name: 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total',
    help: 'Cumulative proxy iptables restore failures',
    labels: ['ip_family'],
  },
  conntrackDuration: {
    type: 'histogram',
    name: 'kubeproxy_conntrack_reconciler_sync_duration_seconds',
    help: 'ReconcileConntrackFlowsLatency latency in seconds',
    labels: ['ip_family'],
    buckets: syncBuckets,
  },
  conntrackDeleted: {
    type: 'counter',
    name: 'kubeproxy_conntrack_reconciler_deleted_entries_total',
    help: 'Cumulative conntrack flows deleted by conntrack reconciler',
    labels: ['ip_family'],
  },
  requests: {
    type: 'counter',
    name: 'rest_client_requests_total',
    help: 'Number of HTTP requests, partitioned by status code, method, and host.',
    labels: ['code', 'method', 'host'],
  },
  requestDuration: {
    type: 'histogram',
    name: 'rest_client_request_duration_seconds',
    help: 'Request latency in seconds. Broken down by verb, and host.',
    labels: ['verb', 'host'],
    buckets: requestBuckets,
  },
  buildInfo: {
    type: 'gauge',
    name: 'kubernetes_build_info',
    help: 'Which version this is; always 1',
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
} as const satisfies Record<string, Definition>;

/** What only this program can say. */
const ours = {
  firstSyncComplete: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_first_sync_complete',
    help: '1 once the kernel was made right for the first time since the start',
    labels: [],
  },
  refusedConfigFile: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_config_file_refused',
    help: '1 while the configuration file on the disk cannot be used and what it said before is in force',
    labels: [],
  },
  failedServices: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_failed_services',
    help: 'Services that are not as they should be in the kernel, and are retried',
    labels: [],
  },
  conflicts: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_conflicts',
    help: 'Virtual servers that a Service wants and another one has',
    labels: [],
  },
  invalidObjects: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_invalid_objects',
    help: 'Objects of the API with fields that cannot be used, by kind',
    labels: ['kind'],
  },
  operations: {
    type: 'counter',
    name: 'kubeproxy_ipvs_operations_total',
    help: 'Changes made to the kernel, by kind and result (success, failure)',
    labels: ['kind', 'result'],
  },
  repairs: {
    type: 'counter',
    name: 'kubeproxy_ipvs_repairs_total',
    help: 'Differences that an audit found in the kernel and repaired, by kind of change',
    labels: ['kind'],
  },
  wrongSysctls: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_wrong_sysctls',
    help: 'Kernel settings that are not as IPVS mode needs them and could not be, or were not to be, restored',
    labels: [],
  },
  drainingRealServers: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_draining_real_servers',
    help: 'Real servers that get no new connections and wait for their old ones to end',
    labels: [],
  },
  drains: {
    type: 'counter',
    name: 'kubeproxy_ipvs_drains_total',
    help: 'Drains of real servers that ended, by reason',
    labels: ['reason'],
  },
  drainDuration: {
    type: 'histogram',
    name: 'kubeproxy_ipvs_drain_duration_seconds',
    help: 'How long drains of real servers took, by the reason of their end',
    labels: ['reason'],
    buckets: [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600],
  },
  cutConnections: {
    type: 'counter',
    name: 'kubeproxy_ipvs_cut_connections_total',
    help: 'Connections that were alive when a drain ended, closing ones not included, by the reason of the end',
    labels: ['reason'],
  },
  clientResets: {
    type: 'counter',
    name: 'kubeproxy_ipvs_client_resets_total',
    help: 'Clients with connections to a real server that was deleted, by whether they were sent a reset (sent), could not be sent one (failed), or could not be found (skipped)',
    labels: ['result'],
  },
  reusedRealServers: {
    type: 'counter',
    name: 'kubeproxy_ipvs_reused_real_servers_total',
    help: 'Real servers whose address another pod took while the kernel still knew connections of the one before',
    labels: [],
  },
  lists: {
    type: 'counter',
    name: 'kubeproxy_ipvs_lists_total',
    help: 'Complete reads of all objects of a kind, as a stream or as a list',
    labels: ['kind', 'how'],
  },
  watchFailures: {
    type: 'counter',
    name: 'kubeproxy_ipvs_watch_failures_total',
    help: 'Failed lists and watches, by kind and reason',
    labels: ['kind', 'reason'],
  },
  unconfirmedDeletions: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_unconfirmed_deletions',
    help: 'What a complete read of the API left out and is kept until a second read leaves it out too, by kind',
    labels: ['kind'],
  },
  eventsDropped: {
    type: 'counter',
    name: 'kubeproxy_ipvs_events_dropped_total',
    help: 'Kubernetes Events that could not be sent',
    labels: [],
  },
} as const satisfies Record<string, Definition>;

/** What `/metrics` says, but for the process; a metric more is a row more. */
export const table = { ...compatible, ...ours };

/** What `/metrics/slis` says. */
export const indicators = {
  healthcheck: {
    type: 'gauge',
    name: 'kubernetes_healthcheck',
    help: 'This metric records the result of a single healthcheck.',
    labels: ['name', 'type'],
  },
  healthchecks: {
    type: 'counter',
    name: 'kubernetes_healthchecks_total',
    help: 'This metric records the results of all healthcheck.',
    labels: ['name', 'status', 'type'],
  },
} as const satisfies Record<string, Definition>;
