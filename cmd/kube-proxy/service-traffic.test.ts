import { expect, test } from 'vitest';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import type { TrafficSample } from '../../pkg/traffic/traffic.ts';
import { trafficMetrics } from './service-traffic.ts';

function sample(name: string): TrafficSample {
  return {
    labels: { namespace: 'shop', name, port: '80', protocol: 'TCP' },
    totals: {
      connections: 1,
      incomingPackets: 2,
      outgoingPackets: 3,
      incomingBytes: 4,
      outgoingBytes: 5,
    },
    activeConnections: 6,
  };
}

async function scrape(read: () => Promise<readonly TrafficSample[]>) {
  const log = recordingLogger();
  const metrics = createMetrics();
  metrics.addScraped(trafficMetrics({ read }, log));
  const lines = async () =>
    (await metrics.exposition.text())
      .split('\n')
      .filter((line) => line.startsWith('kubeproxy_ipvs_service_'));
  return { lines, log };
}

test('each number of a service port is a series, as it is at the scrape', async () => {
  let names = ['cart', 'pay'];
  const { lines } = await scrape(async () => names.map(sample));
  const labels = '{namespace="shop",name="cart",port="80",protocol="TCP"}';
  const first = await lines();
  expect(first).toHaveLength(12);
  expect(first.filter((line) => line.includes('cart'))).toEqual([
    `kubeproxy_ipvs_service_connections_total${labels} 1`,
    `kubeproxy_ipvs_service_incoming_packets_total${labels} 2`,
    `kubeproxy_ipvs_service_outgoing_packets_total${labels} 3`,
    `kubeproxy_ipvs_service_incoming_bytes_total${labels} 4`,
    `kubeproxy_ipvs_service_outgoing_bytes_total${labels} 5`,
    `kubeproxy_ipvs_service_active_connections${labels} 6`,
  ]);
  names = ['cart'];
  expect(await lines()).toHaveLength(6);
});

test('where the kernel cannot be read, everything else is scraped', async () => {
  const { lines, log } = await scrape(() => Promise.reject(new Error('EPERM')));
  expect(await lines()).toEqual([]);
  expect(log.lines()[0]).toBe('error cannot read the traffic of Services: EPERM');
});
