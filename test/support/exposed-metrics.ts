import { drainMetrics } from '../../cmd/kube-proxy/drain-metrics.ts';
import { logReadings } from '../../cmd/kube-proxy/log-readings.ts';
import { reflectorMetrics } from '../../cmd/kube-proxy/reflector-metrics.ts';
import { trafficMetrics } from '../../cmd/kube-proxy/service-traffic.ts';
import { setMetrics } from '../../cmd/kube-proxy/set-metrics.ts';
import { silentLogger } from '../../pkg/log/memory.ts';
import type { Definition } from '../../pkg/metrics/definition.ts';
import { createMetrics, type Histogram } from '../../pkg/metrics/metrics.ts';
import type { ScrapedMetric } from '../../pkg/metrics/scraped.ts';
import { table } from '../../pkg/metrics/table.ts';

/** What a scrape can show of a metric: its type, and the labels of its samples. */
export interface ExposedMetric {
  readonly type: string;
  readonly labels: ReadonlySet<string>;
}

/** All metrics that the program can show on `/metrics`, by name, as a scrape shows them. */
export async function exposedMetrics(): Promise<ReadonlyMap<string, ExposedMetric>> {
  return metricsIn(await fullExposition());
}

/** A scrape in which every metric of the program has a series with all its labels. */
export async function fullExposition(): Promise<string> {
  const metrics = createMetrics(logReadings({ lost: () => ({ leftOut: 0, dropped: 0 }) }));
  for (const [name, row] of Object.entries<Definition>(table)) {
    const metric = metrics[name as keyof typeof table] as unknown as AnyMetric; // as the row says
    const labels = someLabels(row.labels);
    if (row.type === 'counter') metric.inc(labels);
    else if (row.type === 'gauge') metric.set(labels, 1);
    else metric.observe(labels, 1);
  }
  const scraped = [
    ...trafficMetrics({ read: async () => [] }, silentLogger),
    ...setMetrics({ setFills: () => [] }),
    ...reflectorMetrics({ states: [] }),
    ...drainMetrics({ oldest: undefined, begun: 0 }, () => 0),
  ];
  metrics.addScraped(scraped.map(withSample));
  return metrics.exposition.text();
}

/** The metrics of an exposition, by name. */
export function metricsIn(text: string): ReadonlyMap<string, ExposedMetric> {
  const metrics = new Map<string, { type: string; labels: Set<string> }>();
  for (const line of text.split('\n')) {
    const [, declared = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (declared !== '') metrics.set(declared, { type, labels: new Set() });
    const [, sample = '', labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const metric = metrics.get(sample) ?? metrics.get(sample.replace(/_(bucket|sum|count)$/, ''));
    for (const [, label = ''] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g))
      metric?.labels.add(label);
  }
  return metrics;
}

interface AnyMetric extends Pick<Histogram<string>, 'observe'> {
  inc(labels: Readonly<Record<string, string>>): void;
  set(labels: Readonly<Record<string, string>>, value: number): void;
}

function withSample(metric: ScrapedMetric): ScrapedMetric {
  return { ...metric, samples: async () => [{ labels: someLabels(metric.labels), value: 1 }] };
}

function someLabels(names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, 'some']));
}
