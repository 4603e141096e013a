import { compatible } from './compatible.ts';
import type { Definition } from './definition.ts';
import { restClient } from './rest-client.ts';

/** The metrics of this program alone. */
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
  serviceConflicts: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_service_conflicts',
    help: 'Virtual servers that a Service wants and another one has; of the first 100 such Services',
    labels: ['service'],
  },
  unhonouredServices: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_unhonoured_services',
    help: 'Services that ask for something that is not done on this node, by reason',
    labels: ['reason'],
  },
  serviceUnhonoured: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_service_unhonoured',
    help: '1 for a Service that asks for something that is not done on this node, and why; of the first 100 such Services',
    labels: ['service', 'reason'],
  },
  invalidObjects: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_invalid_objects',
    help: 'Objects of the API with fields that cannot be used, by kind',
    labels: ['kind'],
  },
  stageDuration: {
    type: 'histogram',
    name: 'kubeproxy_ipvs_sync_stage_duration_seconds',
    help: 'How long the stages of syncs and audits took, each time that one ran',
    labels: ['stage'],
    buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
  },
  eventLoopDelay: {
    type: 'histogram',
    name: 'kubeproxy_ipvs_event_loop_delay_seconds',
    help: 'How late the event loop came to what was due, while somebody scrapes',
    labels: [],
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
  },
  netlinkErrors: {
    type: 'counter',
    name: 'kubeproxy_ipvs_netlink_errors_total',
    help: 'Errors that the kernel answered to netlink messages, and answers that were lost (ENOBUFS, ETIMEDOUT), by subsystem',
    labels: ['subsystem', 'errno'],
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
  missingCapabilities: {
    type: 'gauge',
    name: 'kubeproxy_ipvs_missing_capabilities',
    help: '1 for each capability of Linux that the process does not have and would use',
    labels: ['capability'],
  },
  skippedResets: {
    type: 'counter',
    name: 'kubeproxy_ipvs_skipped_resets_total',
    help: 'Packets that were not sent to end connections to deleted real servers, as CAP_NET_RAW is missing',
    labels: [],
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
  watches: {
    type: 'counter',
    name: 'kubeproxy_ipvs_watches_total',
    help: 'Watches that ended, by kind and how: the server closed it (closed), nothing came for too long (silent), or it failed (failed)',
    labels: ['kind', 'end'],
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

/** The metrics of `/metrics` except those of the process, one in each row. */
export const table = { ...compatible, ...restClient, ...ours };

/** The metrics of `/metrics/slis`. */
export const indicators = {
  healthcheck: {
    type: 'gauge',
    name: 'kubernetes_healthcheck',
    stability: 'BETA',
    help: 'This metric records the result of a single healthcheck.',
    labels: ['name', 'type'],
  },
  healthchecks: {
    type: 'counter',
    name: 'kubernetes_healthchecks_total',
    stability: 'BETA',
    help: 'This metric records the results of all healthcheck.',
    labels: ['name', 'status', 'type'],
  },
} as const satisfies Record<string, Definition>;
