import type { ScrapedMetric } from '../../pkg/metrics/scraped.ts';
import type { GracefulTerminationManager } from '../../pkg/proxy/graceful/manager.ts';

/** The metrics of drains that only the list of drains knows, read at each scrape. */
export function drainMetrics(
  graceful: Pick<GracefulTerminationManager, 'oldest' | 'begun'>,
  now: () => number,
): readonly ScrapedMetric[] {
  return [
    {
      type: 'counter',
      name: 'kubeproxy_ipvs_drains_started_total',
      help: 'Drains of real servers that began',
      labels: [],
      samples: async () => [{ labels: {}, value: graceful.begun }],
    },
    {
      type: 'gauge',
      name: 'kubeproxy_ipvs_oldest_drain_age_seconds',
      help: 'How long the oldest drain of a real server has taken so far; 0 if nothing drains',
      labels: [],
      samples: async () => {
        const { oldest } = graceful;
        return [{ labels: {}, value: oldest === undefined ? 0 : (now() - oldest) / 1000 }];
      },
    },
  ];
}
