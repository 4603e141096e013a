import type { ScrapedMetric } from '../../pkg/metrics/scraped.ts';
import type { Proxier } from '../../pkg/proxy/proxier.ts';

/** The fill of the sets. The names are ours, so the number of series is limited. */
export function setMetrics(proxier: Pick<Proxier, 'setFills'>): readonly ScrapedMetric[] {
  const labels = ['set'];
  return [
    {
      type: 'gauge',
      name: 'kubeproxy_ipvs_set_entries',
      help: 'Entries of an IP set',
      labels,
      samples: async () =>
        proxier.setFills().map(({ name, entries }) => ({ labels: { set: name }, value: entries })),
    },
    {
      type: 'gauge',
      name: 'kubeproxy_ipvs_set_max_entries',
      help: 'How many entries an IP set has room for; it is swapped for a larger one before it is full',
      labels,
      samples: async () =>
        proxier
          .setFills()
          .flatMap(({ name, maximum }) =>
            maximum === undefined ? [] : [{ labels: { set: name }, value: maximum }],
          ),
    },
  ];
}
