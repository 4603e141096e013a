import type { ScrapedMetric } from '../../pkg/metrics/scraped.ts';
import type { ProxierView } from '../../pkg/proxy/view.ts';

/** The fill of the sets. The names are ours, so the number of series is limited. */
export function setMetrics(view: Pick<ProxierView, 'setFills'>): readonly ScrapedMetric[] {
  const labels = ['set'];
  return [
    {
      type: 'gauge',
      name: 'kubeproxy_ipvs_set_entries',
      help: 'Entries of an IP set',
      labels,
      samples: async () =>
        view.setFills().map(({ name, entries }) => ({ labels: { set: name }, value: entries })),
    },
    {
      type: 'gauge',
      name: 'kubeproxy_ipvs_set_max_entries',
      help: 'How many entries an IP set has room for; it is swapped for a larger one before it is full',
      labels,
      samples: async () =>
        view
          .setFills()
          .flatMap(({ name, maximum }) =>
            maximum === undefined ? [] : [{ labels: { set: name }, value: maximum }],
          ),
    },
  ];
}
