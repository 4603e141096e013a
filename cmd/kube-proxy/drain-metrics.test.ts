import { afterEach, expect, test } from 'vitest';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../../test/support/addresses.ts';
import { endpoint, service, slice } from '../../test/support/objects.ts';
import { Stand, setService, setSlice } from '../../test/support/proxier.ts';
import { drainMetrics } from './drain-metrics.ts';

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

const web = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;

/** A proxier, and the value of a metric of its drains. */
function standWith(metric: string): { stand: Stand; value: () => Promise<string | undefined> } {
  const stand = new Stand();
  stands.push(stand);
  const metrics = createMetrics();
  metrics.addScraped(drainMetrics(stand.proxier.graceful, () => stand.clock.now()));
  const line = new RegExp(`\\n${metric} (\\S+)\\n`);
  return { stand, value: async () => line.exec(await metrics.exposition.text())?.[1] };
}

test('drains that began are counted once each, whether they have ended or not', async () => {
  const { stand, value: started } = standWith('kubeproxy_ipvs_drains_started_total');
  const all = ['10.0.0.1', '10.0.0.2'].map((address) => endpoint(address));
  const dying = { ready: false, serving: false, terminating: true };
  stand.report(setService(service()), setSlice(slice(all)));
  await stand.sync();
  expect(await started()).toBe('0');
  for (const { address } of all)
    stand.kernel.ipvs.setCounters(web, { address, port: 8080 }, { activeConnections: 1 });
  stand.report(setSlice(slice(all.map((each) => ({ ...each, ...dying })))));
  await stand.settle();
  expect(await started()).toBe('2');
  stand.report(setSlice(slice(all)));
  await stand.settle(seconds(1));
  expect([stand.reports.drains, await started()]).toEqual([['wanted', 'wanted'], '2']);
  stand.report(setSlice(slice(all.map((each) => ({ ...each, ...dying })))));
  await stand.settle(seconds(1));
  expect([stand.proxier.graceful.size, await started()]).toEqual([2, '4']);
});

test('the age of the oldest drain is that of the one that began first, and 0 without any', async () => {
  const { stand, value: age } = standWith('kubeproxy_ipvs_oldest_drain_age_seconds');
  const all = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => endpoint(address));
  stand.report(setService(service()), setSlice(slice(all)));
  await stand.sync();
  expect(await age()).toBe('0');
  for (const { address } of all)
    stand.kernel.ipvs.setCounters(web, { address, port: 8080 }, { activeConnections: 1 });
  const dying = { ready: false, serving: false, terminating: true };
  stand.report(
    setSlice(slice(all.map((each, index) => (index < 1 ? { ...each, ...dying } : each)))),
  );
  await stand.settle();
  await stand.settle(seconds(2));
  stand.report(
    setSlice(slice(all.map((each, index) => (index < 2 ? { ...each, ...dying } : each)))),
  );
  await stand.settle(seconds(1));
  expect([stand.proxier.graceful.size, await age()]).toEqual([2, '3']);
});
