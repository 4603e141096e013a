import type { Logger } from '../../pkg/log/log.ts';
import type { ScrapedMetric } from '../../pkg/metrics/scraped.ts';
import type { ServiceTraffic, TrafficSample } from '../../pkg/traffic/traffic.ts';

/** The metrics of a service port, with the value of each in a sample. */
const rows = {
  connections_total: {
    help: 'Connections that went through a service port of this node',
    value: ({ totals }: TrafficSample) => totals.connections,
  },
  incoming_packets_total: {
    help: 'Packets of clients that went through a service port of this node',
    value: ({ totals }: TrafficSample) => totals.incomingPackets,
  },
  outgoing_packets_total: {
    help: 'Packets to clients that went through a service port of this node',
    value: ({ totals }: TrafficSample) => totals.outgoingPackets,
  },
  incoming_bytes_total: {
    help: 'Bytes of clients that went through a service port of this node',
    value: ({ totals }: TrafficSample) => totals.incomingBytes,
  },
  outgoing_bytes_total: {
    help: 'Bytes to clients that went through a service port of this node',
    value: ({ totals }: TrafficSample) => totals.outgoingBytes,
  },
  active_connections: {
    help: 'Connections through a service port of this node that are established',
    value: ({ activeConnections }: TrafficSample) => activeConnections,
  },
} as const;

const labels = ['namespace', 'name', 'port', 'protocol'];

/** The metrics of `--ipvs-service-metrics`. If the kernel cannot be read, a scrape has none of them, and the error is logged. */
export function trafficMetrics(
  traffic: Pick<ServiceTraffic, 'read'>,
  log: Pick<Logger, 'error'>,
): readonly ScrapedMetric[] {
  // All metrics of one scrape share one read, as they ask in the same turn of the event loop.
  const read = async () => {
    try {
      return await traffic.read();
    } catch (error) {
      log.error('cannot read the traffic of Services', error);
      return [];
    }
  };
  return Object.entries(rows).map(([name, { help, value }]) => ({
    type: name.endsWith('_total') ? 'counter' : 'gauge',
    name: `kubeproxy_ipvs_service_${name}`,
    help,
    labels,
    samples: async () =>
      (await read()).map((sample) => ({ labels: { ...sample.labels }, value: value(sample) })),
  }));
}
