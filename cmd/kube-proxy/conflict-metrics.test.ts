import { expect, test } from 'vitest';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { ConflictMetrics } from './conflict-metrics.ts';

async function series(metrics: ReturnType<typeof createMetrics>): Promise<readonly string[]> {
  const text = await metrics.exposition.text();
  return text.split('\n').filter((line) => line.startsWith('kubeproxy_ipvs_service_conflicts'));
}

test('a Service is shown with what it does not get, and no longer when it gets all', async () => {
  const metrics = createMetrics();
  const shown = new ConflictMetrics(metrics);
  shown.set('shop/web', 2);
  shown.set('shop/db', 1);
  shown.set('shop/web', 3);
  expect(await series(metrics)).toEqual([
    'kubeproxy_ipvs_service_conflicts{service="shop/web"} 3',
    'kubeproxy_ipvs_service_conflicts{service="shop/db"} 1',
  ]);
  shown.set('shop/web', 0);
  shown.set('shop/db', 0);
  expect(await series(metrics)).toEqual([]);
});

test('a hundred Services are shown at a time, and the place of one that goes is free', async () => {
  const metrics = createMetrics();
  const shown = new ConflictMetrics(metrics);
  for (let number = 0; number < 150; number++) shown.set(`shop/s${number}`, 1);
  const lines = await series(metrics);
  expect(lines).toHaveLength(100);
  expect(lines.join('\n')).not.toContain('(other)');
  shown.set('shop/s0', 0);
  shown.set('shop/s149', 2);
  const later = await series(metrics);
  expect(later).toHaveLength(100);
  expect(later).toContain('kubeproxy_ipvs_service_conflicts{service="shop/s149"} 2');
});
