import { expect, test } from 'vitest';
import { fullExposition } from './exposed-metrics.ts';
import { lintMetrics } from './lint-metrics.ts';

// The rules of `promtool check metrics`.

test('the metrics of the program keep the rules, but for the gauge that upstream named so', async () => {
  expect(lintMetrics(await fullExposition())).toEqual([
    'kubeproxy_sync_proxy_rules_no_local_endpoints_total: _total, and no counter',
  ]);
});

function metric(name: string, type: string, labels = ''): string {
  return `# HELP ${name} What it counts\n# TYPE ${name} ${type}\n${name}${labels} 1\n`;
}

test.each([
  ['no help', '# HELP x_total \n# TYPE x_total counter\nx_total 1\n'],
  ['a counter without _total', metric('x', 'counter')],
  ['_total, and no counter', metric('x_total', 'gauge')],
  ['a suffix of histograms', metric('x_count', 'gauge')],
  ['a label of histograms', metric('x', 'gauge', '{le="1"}')],
  ['its type in its name', metric('x_gauge', 'gauge')],
  ['camelCase', metric('x', 'gauge', '{someLabel="1"}')],
  ['camelCase', metric('someName', 'gauge')],
  ["a ':', which is for recording rules", metric('a:b', 'gauge')],
  ['no base unit', metric('x_milliseconds', 'gauge')],
  ['no base unit', metric('x_hours', 'gauge')],
  ['an abbreviated unit', metric('x_ms', 'gauge')],
])('%s is found', (complaint, text) => {
  const [, name] = /^# TYPE (\S+)/m.exec(text) ?? [];
  expect(lintMetrics(text)).toEqual([`${name}: ${complaint}`]);
});

test('a series that stands twice is found, whatever its value', () => {
  const text = `${metric('x', 'gauge', '{kind="a"}')}x{kind="b"} 1\nx{kind="a"} 2\n`;
  expect(lintMetrics(text)).toEqual(['x{kind="a"}: twice']);
});
