import { expect, onTestFinished, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { defaults } from '../../pkg/config/fields.ts';
import { AssembledProgram } from '../../test/support/assembled-program.ts';
import { exposedMetrics } from '../../test/support/exposed-metrics.ts';
import { get } from '../../test/support/http-server.ts';

test('a started program has the metrics that tests compare with docs and dashboard, each once', async () => {
  const config = effective(defaults, 'node-1');
  const program = await AssembledProgram.start({ ...config, serviceMetrics: true });
  onTestFinished(() => program.stop());
  const { body } = await get(`${await program.url('metrics server')}/metrics`);
  const declared = [...body.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name);
  expect(declared.toSorted()).toEqual([...(await exposedMetrics()).keys()].toSorted());
});
