import { drainMetrics } from '../../cmd/kube-proxy/drain-metrics.ts';
import { logReadings } from '../../cmd/kube-proxy/log-readings.ts';
import { reflectorMetrics } from '../../cmd/kube-proxy/reflector-metrics.ts';
import { trafficMetrics } from '../../cmd/kube-proxy/service-traffic.ts';
import { setMetrics } from '../../cmd/kube-proxy/set-metrics.ts';
import { silentLogger } from '../../pkg/log/memory.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';

/** The names of all metrics that the program can show on `/metrics`. */
export async function exposedMetrics(): Promise<ReadonlySet<string>> {
  const metrics = createMetrics(logReadings({ lost: () => ({ leftOut: 0, dropped: 0 }) }));
  metrics.addScraped(trafficMetrics({ read: async () => [] }, silentLogger));
  metrics.addScraped(setMetrics({ setFills: () => [] }));
  metrics.addScraped(reflectorMetrics({ states: [] }));
  metrics.addScraped(drainMetrics({ oldest: undefined }, () => 0));
  const text = await metrics.exposition.text();
  return new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name));
}
