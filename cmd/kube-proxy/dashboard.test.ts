import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { exposedMetrics } from '../../test/support/exposed-metrics.ts';
import { askedSeries } from '../../test/support/queries.ts';

// Our dashboard and our alerts ask for what the program exposes: each series, with each label.

interface Query {
  readonly name: string;
  readonly expression: string;
  /** Where labels of the result are shown. */
  readonly text: string;
}

const { panels } = JSON.parse(read('dashboard.json')) as {
  panels: { title: string; targets: { expr: string; legendFormat: string }[] }[];
};
const { groups } = parse(read('alerts.yaml')) as {
  groups: {
    rules: { alert: string; expr: string; annotations: { summary: string } }[];
  }[];
};
const queries: readonly Query[] = [
  ...panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({
      name: `panel ${title}`,
      expression: expr,
      text: legendFormat,
    })),
  ),
  ...groups.flatMap(({ rules }) =>
    rules.map(({ alert, expr, annotations }) => ({
      name: `alert ${alert}`,
      expression: expr,
      text: annotations.summary,
    })),
  ),
];

function read(file: string): string {
  return readFileSync(new URL(`../../deploy/chart/files/${file}`, import.meta.url), 'utf8');
}

/** What a query asks for that is not there: `SERIES`, or `SERIES{LABEL}`. */
async function missingOf({ expression, text }: Query): Promise<readonly string[]> {
  const exposed = await exposedMetrics();
  return askedSeries(expression, text).flatMap(({ series, labels }) => {
    if (series === 'up') return [];
    const suffix = /_(?:bucket|sum|count)$/;
    const histogram = exposed.get(series.replace(suffix, ''));
    const metric = exposed.get(series) ?? (histogram?.type === 'histogram' ? histogram : undefined);
    if (metric === undefined) return [series];
    return labels
      .filter((label) => !metric.labels.has(label))
      .map((label) => `${series}{${label}}`);
  });
}

test.each(queries)('$name asks for what there is', async (query) => {
  expect(askedSeries(query.expression).length).toBeGreaterThan(0);
  expect(await missingOf(query)).toEqual([]);
});

test.each([
  ['a series', 'rate(kubeproxy_ipvs_none_total{job="kube-proxy"}[5m])', ''],
  ['a suffix of histograms', 'kubeproxy_ipvs_conflicts_sum{job="kube-proxy"}', ''],
])('%s that is not there is found', async (_name, expression, text) => {
  const [{ series } = { series: '' }] = askedSeries(expression);
  expect(await missingOf({ name: '', expression, text })).toEqual([series]);
});

test.each([
  ['matches on', 'kubeproxy_ipvs_conflicts{kind="x"}', ''],
  ['groups by', 'sum(kubeproxy_ipvs_conflicts{job="kube-proxy"}) by (node, kind)', ''],
  ['shows', 'kubeproxy_ipvs_conflicts{job="kube-proxy"}', '{{node}} {{kind}}'],
  ['names in its summary', 'kubeproxy_ipvs_conflicts{job="kube-proxy"}', '{{ $labels.kind }}'],
])('a label that a query %s and that is not there is found', async (_name, expression, text) => {
  expect(await missingOf({ name: '', expression, text })).toEqual([
    'kubeproxy_ipvs_conflicts{kind}',
  ]);
});

test('a panel has a title of its own, and each query names the job', () => {
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  for (const { expression } of queries) expect(expression).toContain('job="kube-proxy"');
});

test('panels do not lie on each other', () => {
  const placed = JSON.parse(read('dashboard.json')) as {
    panels: { id: number; gridPos: { x: number; y: number } }[];
  };
  const places = placed.panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
  expect(new Set(places).size).toBe(panels.length);
  expect(new Set(placed.panels.map(({ id }) => id)).size).toBe(panels.length);
});
