import { afterEach, expect, test } from 'vitest';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { endpoint, service, slice } from '../../test/support/objects.ts';
import { remove, Stand, setService, setSlice } from '../../test/support/proxier.ts';
import { setMetrics } from './set-metrics.ts';

const stand = new Stand();

afterEach(async () => await stand.stop());

test('a scrape reports how many entries each set has, and how many it has room for', async () => {
  const metrics = createMetrics();
  metrics.addScraped(setMetrics(stand.proxier.view));
  const scraped = async () => {
    const lines = (await metrics.exposition.text()).split('\n');
    return lines.filter((line) => /"KUBE-(CLUSTER-IP|NODE-PORT-TCP)"/.test(line));
  };
  stand.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')])));
  await stand.sync();
  expect(await scraped()).toEqual([
    'kubeproxy_ipvs_set_entries{set="KUBE-CLUSTER-IP"} 1',
    'kubeproxy_ipvs_set_entries{set="KUBE-NODE-PORT-TCP"} 0',
    'kubeproxy_ipvs_set_max_entries{set="KUBE-CLUSTER-IP"} 65536',
  ]);
  stand.report(remove('Service', 'web'));
  await stand.settle(60_000);
  expect(await scraped()).toContain('kubeproxy_ipvs_set_entries{set="KUBE-CLUSTER-IP"} 0');
});
