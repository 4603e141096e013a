import { expect, test } from 'vitest';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { logReadings } from './log-readings.ts';

test('lines that nobody got to read are counted', async () => {
  const metrics = createMetrics(logReadings({ lost: () => ({ leftOut: 3, dropped: 4 }) }));
  const text = await metrics.exposition.text();
  expect(text).toContain('\nkubeproxy_ipvs_log_lines_left_out_total 3\n');
  expect(text).toContain('\nkubeproxy_ipvs_log_lines_dropped_total 4\n');
});
