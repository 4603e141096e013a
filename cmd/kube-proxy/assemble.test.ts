import { expect, onTestFinished, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { defaults } from '../../pkg/config/fields.ts';
import { AssembledProgram } from '../../test/support/assembled-program.ts';
import { exposedMetrics } from '../../test/support/exposed-metrics.ts';
import { get } from '../../test/support/http-server.ts';
import { FakeKernel } from '../../test/support/proxier.ts';

test('a started program has the metrics that tests compare with docs and dashboard, each once', async () => {
  const config = effective(defaults, 'node-1');
  const program = await AssembledProgram.start({ ...config, serviceMetrics: true });
  onTestFinished(() => program.stop());
  const { body } = await get(`${await program.url('metrics server')}/metrics`);
  const declared = [...body.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name);
  expect(declared.toSorted()).toEqual([...(await exposedMetrics()).keys()].toSorted());
});

test('a node without IPv6 and with pod networks of IPv6 alone is not served', async () => {
  const clusterCIDR = 'fd00:10::/32';
  const config = effective({ ...defaults, clusterCIDR }, 'node-1');
  const kernel = new FakeKernel();
  kernel.firewall.failWith = ({ family }) => (family === 'IPv6' ? 'ENOENT' : undefined);
  await expect(AssembledProgram.start(config, { kernel })).rejects.toThrow(
    /^clusterCIDR: Invalid value: "fd00:10::\/32": this node serves IPv4 only/,
  );
});

test('a first sync that takes long says how far it is, in the log and on /statusz, until it is done', async () => {
  const program = await AssembledProgram.start(effective(defaults, 'node-1'));
  onTestFinished(() => program.stop());
  const url = `${await program.url('metrics server')}/statusz`;
  const lines = () => program.log.records.filter(({ message }) => message.startsWith('first sync'));
  program.kernel.firewall.isLocked = true;
  await program.sync();
  expect(lines()).toEqual([]);
  await program.clock.advance(5000);
  expect(lines()).toMatchObject([{ message: 'first sync: waiting for rules', severity: 'info' }]);
  expect((await get(url)).body).toMatch(/^Progress(:|: |=| )first sync: waiting for rules$/m);
  program.kernel.firewall.isLocked = false;
  await program.clock.advance(60_000);
  expect((await get(url)).body).not.toContain('Progress');
});
