import { expect, test } from 'vitest';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { UnhonouredMetrics } from './unhonoured-metrics.ts';

async function series(metrics: ReturnType<typeof createMetrics>): Promise<readonly string[]> {
  const text = await metrics.exposition.text();
  return text
    .split('\n')
    .filter((line) => /^kubeproxy_ipvs_(service_unhonoured|unhonoured_)/.test(line));
}

test('a Service that is not honoured is counted and shown with its reasons, and taken away when it is', async () => {
  const metrics = createMetrics();
  const shown = new UnhonouredMetrics(metrics);
  shown.set('shop/web', ['gate', 'family']);
  shown.set('shop/db', ['family']);
  shown.set('shop/web', ['family']);
  expect(await series(metrics)).toEqual([
    'kubeproxy_ipvs_unhonoured_services{reason="gate"} 0',
    'kubeproxy_ipvs_unhonoured_services{reason="family"} 2',
    'kubeproxy_ipvs_service_unhonoured{service="shop/db",reason="family"} 1',
    'kubeproxy_ipvs_service_unhonoured{service="shop/web",reason="family"} 1',
  ]);
  shown.set('shop/web', []);
  shown.set('shop/db', []);
  expect(await series(metrics)).toEqual([
    'kubeproxy_ipvs_unhonoured_services{reason="gate"} 0',
    'kubeproxy_ipvs_unhonoured_services{reason="family"} 0',
  ]);
});

test('a hundred Services are shown at a time, all are counted, and the place of one that goes is free', async () => {
  const metrics = createMetrics();
  const shown = new UnhonouredMetrics(metrics);
  for (let round = 0; round < 3; round++) {
    for (let number = 0; number < 150; number++) shown.set(`shop/${round}-${number}`, ['family']);
    const lines = await series(metrics);
    expect(lines[0]).toBe('kubeproxy_ipvs_unhonoured_services{reason="family"} 150');
    expect(lines).toHaveLength(101);
    expect(lines[1]).toContain(`service="shop/${round}-0"`);
    expect(lines.join('\n')).not.toContain('(other)');
    for (let number = 0; number < 150; number++) shown.set(`shop/${round}-${number}`, []);
  }
});
