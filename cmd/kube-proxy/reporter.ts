import type { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import type { ServiceHealthServers } from '../../pkg/health/service-health.ts';
import { families } from '../../pkg/ip/address.ts';
import type { KubeEvent } from '../../pkg/kube/events.ts';
import type { Kind } from '../../pkg/kube/types.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import {
  type ProxierState,
  type Reporter,
  type Stage,
  type SyncReport,
  stages,
} from '../../pkg/proxy/reporter.ts';
import type { Clock } from '../../pkg/runner/clock.ts';
import { ConflictMetrics } from './conflict-metrics.ts';
import { annotationEvent, conflictEvent, cutEvent, invalidObjectEvent } from './service-events.ts';
import { UnhonouredMetrics } from './unhonoured-metrics.ts';

/** The receivers of the proxier's reports. */
export interface Listeners {
  readonly metrics: Metrics;
  readonly health: ProxyHealth;
  readonly clock: Clock;
  /** The health-check node ports of Services. */
  readonly services?: Pick<ServiceHealthServers, 'set' | 'setAddresses'>;
  /** Records an event about an object. */
  readonly record?: (event: KubeEvent) => void;
}

/** Makes a reporter that passes reports on to metrics, health and events. */
export function createReporter(listeners: Listeners): Reporter {
  const { metrics, health, clock, record = () => undefined, services } = listeners;
  const unhonoured = new UnhonouredMetrics(metrics);
  const conflicts = new ConflictMetrics(metrics);
  // Kept, as every change observes some of them.
  const stageSeries = Object.fromEntries(
    stages.map((stage) => [stage, metrics.stageDuration.series({ stage })]),
  ) as Record<Stage, ReturnType<typeof metrics.stageDuration.series>>; // made from all of them
  let last: ProxierState | undefined;
  return {
    changeReceived: (kind) => countChange(metrics, kind),
    invalidObjects: (kind, count) => metrics.invalidObjects.set({ kind }, count),
    invalidObject: (object, problems) => record(invalidObjectEvent(object, problems)),
    queued(families) {
      const seconds = clock.wallClock() / 1000;
      for (const family of families) metrics.lastQueued.set({ ip_family: family }, seconds);
      health.queued(families);
    },
    synced: (report) => reportSync(listeners, report),
    stageTook: (stage, milliseconds) => stageSeries[stage].observe(milliseconds / 1000),
    state(state) {
      // Most syncs change nothing of it, and setting each label costs some kilobytes.
      if (last === undefined || !isSameState(state, last)) reportState(metrics, state);
      last = state;
    },
    operations(kind, { done, failed }) {
      if (done > 0) metrics.operations.inc({ kind, result: 'success' }, done);
      if (failed > 0) metrics.operations.inc({ kind, result: 'failure' }, failed);
    },
    repaired: (kind) => metrics.repairs.inc({ kind }),
    lostClaims: (key, count) => conflicts.set(key, count),
    // Counted by `state`, and logged by the proxier.
    conflict({ winner }, { virtualServer, loser, others }) {
      if (loser !== undefined) record(conflictEvent(loser, { virtualServer, winner, others }));
    },
    drainEnded(drain, service) {
      const { end, age, cutConnections } = drain;
      metrics.drains.inc({ reason: end });
      metrics.drainDuration.observe({ reason: end }, age / 1000);
      if (cutConnections > 0) metrics.cutConnections.inc({ reason: end }, cutConnections);
      const event = service && cutEvent(service, drain);
      if (event !== undefined) record(event);
    },
    invalidAnnotations: (service, problems) => record(annotationEvent(service, problems)),
    unhonoured: (key, reasons) => unhonoured.set(key, reasons),
    reused: () => metrics.reusedRealServers.inc({}),
    flowsReconciled({ family, milliseconds, deleted }) {
      metrics.conntrackDuration.observe({ ip_family: family }, milliseconds / 1000);
      metrics.conntrackDeleted.inc({ ip_family: family }, deleted);
    },
    clientResets: (result, count) => metrics.clientResets.inc({ result }, count),
    serviceHealth: (key, serviceHealth) => services?.set(key, serviceHealth),
    healthCheckAddresses: (addresses) => services?.setAddresses(addresses),
    rulesFailed: (family) => metrics.restoreFailures.inc({ ip_family: family }),
    progressed: () => health.progressed(),
    firstSyncBegins: () => undefined,
    firstSyncDone() {
      metrics.firstSyncComplete.set({}, 1);
      health.firstSyncDone();
    },
  };
}

function countChange(metrics: Metrics, kind: Kind): void {
  switch (kind) {
    case 'Service':
      metrics.serviceChanges.inc({});
      metrics.serviceChangesPending.inc({});
      return;
    case 'EndpointSlice':
      metrics.endpointChanges.inc({});
      metrics.endpointChangesPending.inc({});
      return;
    case 'Node':
  }
}

function reportSync({ metrics, health, clock }: Listeners, report: SyncReport): void {
  const { families, milliseconds, isSuccess, triggers } = report;
  const now = clock.wallClock();
  metrics.serviceChangesPending.set({}, 0);
  metrics.endpointChangesPending.set({}, 0);
  for (const family of families) {
    const labels = { ip_family: family };
    metrics.syncDuration.observe(labels, milliseconds / 1000);
    if (isSuccess) metrics.lastSync.set(labels, now / 1000);
  }
  if (!isSuccess) return;
  for (const { family, time } of triggers) {
    const latency = Math.max(0, now - time) / 1000;
    metrics.networkProgrammingDuration.observe({ ip_family: family }, latency);
  }
  health.updated(families, clock.now() - milliseconds);
}

function reportState(metrics: Metrics, state: ProxierState): void {
  metrics.failedServices.set({}, state.failedServices);
  metrics.conflicts.set({}, state.conflicts);
  metrics.drainingRealServers.set({}, state.draining);
  metrics.unconfirmedDeletions.set({ kind: 'VirtualServer' }, state.undecided.virtualServers);
  metrics.unconfirmedDeletions.set({ kind: 'RealServer' }, state.undecided.realServers);
  for (const family of families) {
    for (const policy of ['internal', 'external'] as const) {
      const labels = { ip_family: family, traffic_policy: policy };
      metrics.noLocalEndpoints.set(labels, state.withoutLocalEndpoints[`${policy} ${family}`]);
    }
  }
}

function isSameState(one: ProxierState, other: ProxierState): boolean {
  return (
    one.failedServices === other.failedServices &&
    one.conflicts === other.conflicts &&
    one.draining === other.draining &&
    isSameRecord(one.undecided, other.undecided) &&
    isSameRecord(one.withoutLocalEndpoints, other.withoutLocalEndpoints)
  );
}

function isSameRecord<Key extends string>(
  one: Readonly<Record<Key, number>>,
  other: Readonly<Record<Key, number>>,
): boolean {
  for (const key in one) if (one[key] !== other[key]) return false;
  return true;
}
