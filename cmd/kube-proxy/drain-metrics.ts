import type { ScrapedMetric } from '../../pkg/metrics/scraped.ts';
import type { GracefulTerminationManager } from '../../pkg/proxy/graceful/manager.ts';

/** The metrics of open drains, read at each scrape. */
export function drainMetrics(
  graceful: Pick<GracefulTerminationManager, 'oldest'>,
  now: () => number,
): readonly ScrapedMetric[] {
  return [
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
