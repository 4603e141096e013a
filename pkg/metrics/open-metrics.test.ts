import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';
import { toOpenMetrics } from './open-metrics.ts';

test.each([
  [
    'a counter’s family has no _total, its samples have it',
    '# HELP a_total A thing\n# TYPE a_total counter\na_total{x="1"} 2\n',
    '# HELP a A thing\n# TYPE a counter\na_total{x="1"} 2\n# EOF\n',
  ],
  [
    'a counter of another name gets it',
    '# HELP a A\n# TYPE a counter\na 2\n',
    '# HELP a A\n# TYPE a counter\na_total 2\n# EOF\n',
  ],
  [
    'a gauge keeps its name, whatever it is',
    '# HELP a_total A\n# TYPE a_total gauge\na_total 2\n\n# HELP b B\n# TYPE b gauge\nb 1\n',
    '# HELP a_total A\n# TYPE a_total gauge\na_total 2\n# HELP b B\n# TYPE b gauge\nb 1\n# EOF\n',
  ],
  ['nothing is nothing', '\n', '# EOF\n'],
])('%s', (_name, text, expected) => {
  expect(toOpenMetrics(text)).toBe(expected);
});

test('all of ours: each family begins once, and every sample belongs to the one before it', async () => {
  const metrics = createMetrics();
  metrics.healthz.inc({ code: '200' });
  metrics.syncDuration.observe({ ip_family: 'IPv4' }, 1);
  const lines = toOpenMetrics(await metrics.exposition.text())
    .trim()
    .split('\n');
  expect(lines.pop()).toBe('# EOF');
  const families: string[] = [];
  for (const line of lines) {
    const [, family] = /^# TYPE (\S+) /.exec(line) ?? [];
    if (family !== undefined) families.push(family);
    else if (!line.startsWith('# HELP '))
      expect(line.startsWith(families.at(-1) ?? '?')).toBe(true);
  }
  expect(new Set(families).size).toBe(families.length);
  expect(families).toContain('kubeproxy_proxy_healthz');
});
