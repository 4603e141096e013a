import { describe, expect, test } from 'vitest';
import { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import type { KubeEvent } from '../../pkg/kube/events.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { unknownPod } from '../../pkg/proxy/desired/pod-identity.ts';
import { type Reporter, type SyncReport, stages } from '../../pkg/proxy/reporter.ts';
import { type ManualClock, manualClock } from '../../pkg/runner/manual-clock.ts';
import { createReporter } from './reporter.ts';

/** Everything on a clock that shows 100 s. */
async function listening(): Promise<{
  clock: ManualClock;
  health: ProxyHealth;
  reporter: Reporter;
  /** The samples whose names begin so, without the common prefix. */
  scraped: (name: string) => Promise<string[]>;
  metrics: ReturnType<typeof createMetrics>;
  /** The reasons of the events that were recorded, and about whom. */
  events: string[];
}> {
  const clock = manualClock();
  await clock.advance(100_000);
  const metrics = createMetrics();
  const health = new ProxyHealth({ clock, syncPeriod: 30_000 });
  const events: string[] = [];
  const record = ({ reason, regarding: { name, uid } }: KubeEvent) =>
    void events.push(`${reason} ${name} ${uid}`);
  const reporter = createReporter({ metrics, health, clock, record });
  const scraped = async (name: string) => {
    const lines = (await metrics.exposition.text()).split('\n');
    return lines
      .filter((line) => line.startsWith(`kubeproxy_${name}`))
      .map((line) => line.replace(/^kubeproxy_(sync_proxy_rules_|ipvs_)?/, ''));
  };
  return { clock, health, reporter, scraped, metrics, events };
}

const now = Date.UTC(2025, 0, 1) / 1000 + 100;

const success: SyncReport = {
  kind: 'changes',
  families: ['IPv4'],
  milliseconds: 1_500,
  isSuccess: true,
  triggers: [],
};

describe('a sync', () => {
  test('that succeeded has a length and a time', async () => {
    const { reporter, scraped } = await listening();
    reporter.synced(success);
    expect(await scraped('sync_proxy_rules_duration_seconds_sum')).toEqual([
      'duration_seconds_sum{ip_family="IPv4"} 1.5',
    ]);
    expect(await scraped('sync_proxy_rules_last_timestamp')).toEqual([
      `last_timestamp_seconds{ip_family="IPv4"} ${now}`,
    ]);
  });
  test('that failed has only a length', async () => {
    const { reporter, scraped } = await listening();
    reporter.synced({
      ...success,
      isSuccess: false,
      triggers: [{ family: 'IPv4', time: now * 1000 }],
    });
    expect(await scraped('sync_proxy_rules_duration_seconds_count')).toHaveLength(1);
    expect(await scraped('sync_proxy_rules_last_timestamp')).toEqual([]);
    expect(await scraped('network_programming')).toEqual([]);
  });
  test('says how long ago its changes were caused, and a clock that is ahead does no harm', async () => {
    const { reporter, scraped } = await listening();
    const times = [now - 3, now + 50];
    const triggers = times.map((time) => ({ family: 'IPv4', time: time * 1000 }) as const);
    reporter.synced({ ...success, triggers });
    expect(await scraped('network_programming_duration_seconds_sum')).toEqual([
      'network_programming_duration_seconds_sum{ip_family="IPv4"} 3',
    ]);
  });
  test('says it for the family of the slice alone', async () => {
    const { reporter, scraped } = await listening();
    const triggers = [{ family: 'IPv6', time: (now - 1) * 1000 } as const];
    reporter.synced({ ...success, families: ['IPv4', 'IPv6'], triggers });
    expect(await scraped('network_programming_duration_seconds_count')).toEqual([
      'network_programming_duration_seconds_count{ip_family="IPv6"} 1',
    ]);
  });
  test('clears what is pending', async () => {
    const { reporter, scraped } = await listening();
    reporter.changeReceived('Service');
    reporter.changeReceived('EndpointSlice');
    reporter.changeReceived('EndpointSlice');
    reporter.changeReceived('Node');
    const changes = ['service_changes_pending 1', 'service_changes_total 1'];
    expect(await scraped('sync_proxy_rules_service')).toEqual(changes);
    expect(await scraped('sync_proxy_rules_endpoint')).toEqual([
      'endpoint_changes_pending 2',
      'endpoint_changes_total 2',
    ]);
    reporter.synced(success);
    expect(await scraped('sync_proxy_rules_service')).toEqual([
      'service_changes_pending 0',
      'service_changes_total 1',
    ]);
    expect(await scraped('sync_proxy_rules_endpoint_changes_pending')).toEqual([
      'endpoint_changes_pending 0',
    ]);
  });
});

describe('health is updated', () => {
  test('of changes that wait, of progress and of the first sync', async () => {
    const { clock, health, reporter, scraped } = await listening();
    reporter.queued(['IPv4']);
    expect(await scraped('sync_proxy_rules_last_queued')).toEqual([
      `last_queued_timestamp_seconds{ip_family="IPv4"} ${now}`,
    ]);
    reporter.progressed();
    await clock.advance(60_000);
    expect(health.livez().isOk).toBe(false);
    reporter.progressed();
    expect(health.livez().isOk).toBe(true);
    reporter.synced(success);
    expect(health.readyz().isOk).toBe(false);
    reporter.firstSyncDone();
    expect(health.readyz().isOk).toBe(true);
    expect(await scraped('ipvs_first_sync')).toEqual(['first_sync_complete 1']);
  });
  test('of a sync only what waited when it began', async () => {
    const { clock, health, reporter } = await listening();
    reporter.firstSyncDone();
    await clock.advance(1_000);
    reporter.queued(['IPv4']);
    await clock.advance(500);
    reporter.synced({ ...success, milliseconds: 1_000 });
    await clock.advance(60_000);
    expect(health.livez().isOk).toBe(false);
  });
  test('nothing good of a sync that failed', async () => {
    const { clock, health, reporter } = await listening();
    reporter.synced(success);
    reporter.firstSyncDone();
    reporter.queued(['IPv4']);
    await clock.advance(60_000);
    reporter.synced({ ...success, isSuccess: false });
    expect(health.livez().isOk).toBe(false);
  });
});

test('every stage of a sync is exposed from the start, and counted in seconds', async () => {
  const { reporter, scraped } = await listening();
  reporter.stageTook('plan', 250);
  reporter.stageTook('plan', 750);
  expect(await scraped('ipvs_sync_stage_duration_seconds_sum')).toEqual(
    stages.map(
      (stage) => `sync_stage_duration_seconds_sum{stage="${stage}"} ${stage === 'plan' ? 1 : 0}`,
    ),
  );
  expect(await scraped('ipvs_sync_stage_duration_seconds_count{stage="plan"}')).toEqual([
    'sync_stage_duration_seconds_count{stage="plan"} 2',
  ]);
});

test('the state and what happened are counted', async () => {
  const { reporter, scraped } = await listening();
  const withoutLocalEndpoints = {
    'internal IPv4': 4,
    'external IPv4': 5,
    'internal IPv6': 6,
    'external IPv6': 7,
  };
  const undecided = { virtualServers: 8, realServers: 9 };
  reporter.state({
    failedServices: 1,
    conflicts: 2,
    draining: 3,
    withoutLocalEndpoints,
    undecided,
  });
  reporter.invalidObjects('Service', 6);
  reporter.operations('addVirtualServer', { done: 1, failed: 1 });
  reporter.repaired('bindAddress', '+address 172.30.0.1');
  const address = '10.0.0.1' as never;
  const realServer = { address, port: 80 } as never;
  const drain = {
    virtualServer: { address, protocol: 'TCP', port: 80 },
    realServer,
    podUid: unknownPod,
  } as const;
  reporter.drainEnded({ ...drain, end: 'empty', age: 1_000, cutConnections: 5 }, undefined);
  reporter.rulesFailed('IPv6');
  const histograms = /^(drain_duration|sync_stage_duration|event_loop_delay)_/;
  const lines = (await scraped('ipvs_')).filter((line) => !histograms.test(line));
  expect(lines).toEqual([
    'first_sync_complete 0',
    'config_file_refused 0',
    'failed_services 1',
    'conflicts 2',
    'invalid_objects{kind="Service"} 6',
    'operations_total{kind="addVirtualServer",result="success"} 1',
    'operations_total{kind="addVirtualServer",result="failure"} 1',
    'repairs_total{kind="bindAddress"} 1',
    'skipped_resets_total 0',
    'wrong_sysctls 0',
    'draining_real_servers 3',
    'drains_total{reason="empty"} 1',
    'cut_connections_total{reason="empty"} 5',
    'reused_real_servers_total 0',
    'unconfirmed_deletions{kind="VirtualServer"} 8',
    'unconfirmed_deletions{kind="RealServer"} 9',
    'events_dropped_total 0',
  ]);
  expect(await scraped('sync_proxy_rules_no_local_endpoints_total')).toEqual([
    'no_local_endpoints_total{ip_family="IPv4",traffic_policy="internal"} 4',
    'no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"} 5',
    'no_local_endpoints_total{ip_family="IPv6",traffic_policy="internal"} 6',
    'no_local_endpoints_total{ip_family="IPv6",traffic_policy="external"} 7',
  ]);
  expect(await scraped('sync_proxy_rules_iptables_restore')).toEqual([
    'iptables_restore_failures_total{ip_family="IPv6"} 1',
  ]);
});

test('owners of Services hear of conflicts, of cut connections and of annotations', async () => {
  const { reporter, events } = await listening();
  const service = { namespace: 'shop', name: 'web', uid: 'u-1' };
  const address = '10.0.0.1' as never;
  const virtualServer = { address, protocol: 'TCP', port: 80 } as const;
  const conflict = { virtualServer: 'key', winner: 'shop/old', loser: 'shop/web' };
  reporter.conflict(conflict, { virtualServer, loser: service, others: 2 });
  reporter.conflict(conflict, { virtualServer, loser: undefined, others: 0 });
  const drain = {
    virtualServer,
    realServer: { address, port: 80 } as never,
    podUid: unknownPod,
    age: 1,
  } as const;
  reporter.drainEnded({ ...drain, end: 'deadline', cutConnections: 1 }, service);
  reporter.drainEnded({ ...drain, end: 'deadline', cutConnections: 1 }, undefined);
  reporter.drainEnded({ ...drain, end: 'empty', cutConnections: 0 }, service);
  reporter.invalidAnnotations(service, [{ field: 'f', message: 'm' }]);
  expect(events).toEqual([
    'VirtualServerConflict web u-1',
    'ConnectionsCut web u-1',
    'InvalidAnnotation web u-1',
  ]);
});
