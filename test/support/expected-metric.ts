import { expect } from 'vitest';
import { createMetrics, type Metrics } from '../../pkg/metrics/metrics.ts';

/** How a metric of Kubernetes looks in a scrape, as its specification has it. */
export interface ExpectedMetric {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Sorted. */
  readonly labels: readonly string[];
  /** With the stability level. */
  readonly help: string;
  /** Makes a series of it, where nothing else does. */
  readonly report: (metrics: Metrics) => void;
  /** None for what is no histogram. */
  readonly buckets: readonly number[];
}

/** Checks that a scrape shows a metric with this type, help, labels and buckets. */
export async function expectMetric(row: ExpectedMetric): Promise<void> {
  const { name, type, labels, help, report, buckets } = row;
  const metrics = createMetrics();
  report(metrics);
  const lines = (await metrics.exposition.text()).split('\n');
  expect(lines).toContain(`# HELP ${name} ${help}`);
  expect(lines).toContain(`# TYPE ${name} ${type}`);
  const counted = type === 'histogram' ? `${name}_count` : name;
  const sample = lines.find(
    (line) => line.startsWith(`${counted}{`) || line.startsWith(`${counted} `),
  );
  if (sample === undefined) throw new Error('no sample');
  expect([...sample.matchAll(/(\w+)="/g)].map(([, label = '']) => label).toSorted()).toEqual(
    labels,
  );
  const bounds = lines
    .filter((line) => line.startsWith(`${name}_bucket{`))
    .map((line) => /le="([^"]+)"/.exec(line)?.[1]);
  expect(bounds).toEqual(buckets.length === 0 ? [] : [...buckets.map(String), '+Inf']);
}
