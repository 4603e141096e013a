import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseCpuList } from '../../pkg/node/cpu-list.ts';
import { estimatorCpus } from '../../pkg/node/estimator-cpus.ts';
import { type EstimationMode, estimationSettings } from '../../pkg/proxy/settings/estimation.ts';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';
import { createNamespace } from '../support/namespace.ts';
import { kernelSettings } from '../support/settings.ts';

// `--ipvs-estimation` on this kernel: what `sysctl` and `ps` show of the estimator.

const namespace = createNamespace();
let leave = () => {};
/** Linux 6.2 and later. */
const hasKthreads = existsSync('/proc/sys/net/ipv4/vs/est_nice');

beforeAll(() => {
  leave = namespace.enter();
  // The first virtual server starts the estimator.
  namespace.run('ipvsadm', '-A', '-t', '172.30.0.1:80');
});

afterAll(() => {
  leave();
  namespace.remove();
});

function apply(mode: EstimationMode, cpus: () => string | undefined = () => undefined): void {
  kernelSettings({ others: estimationSettings(mode, cpus) }).apply();
}

function sysctl(name: string): string {
  return namespace.run('sysctl', '-n', `net.ipv4.vs.${name}`).trim();
}

test('it is switched off and on, and auto leaves it as it is', () => {
  apply('off');
  expect(sysctl('run_estimation')).toBe('0');
  apply('auto');
  expect(sysctl('run_estimation')).toBe('0');
  apply('on');
  expect(sysctl('run_estimation')).toBe('1');
});

describe.skipIf(!hasKthreads)(
  hasKthreads ? 'its kthreads' : 'this kernel has no kthreads for it (before Linux 6.2)',
  () => {
    test('they keep to some CPUs and give way to others', async () => {
      apply('auto', () => '0');
      expect([sysctl('est_cpulist'), sysctl('est_nice')]).toEqual(['0', '10']);
      // It starts them anew.
      await expect.poll(kthreads).toContainEqual({ nice: '10', cpus: '0' });
    });

    test('where nothing is isolated they keep to the CPUs of this process', () => {
      const process = new ProcSysctl({ root: '/proc/self' });
      const cpus = estimatorCpus({ process, sysfs: new ProcSysctl({ root: '/sys' }) });
      // `taskset` writes two neighbours as `0,1`, the kernel as `0-1`.
      const own = namespace.run('sh', '-c', 'taskset -cp $$ | sed "s/.*: //"').trim();
      expect(parseCpuList(cpus ?? '')).toEqual(parseCpuList(own));
      apply('auto', () => cpus);
      expect(sysctl('est_cpulist')).toBe(cpus);
    });

    /** Each kthread of the estimator. */
    function kthreads(): readonly { nice: string; cpus: string }[] {
      const script = `ps -eo pid=,ni=,comm= | grep ipvs-e: | while read -r pid nice name; do
        echo "$nice $(taskset -cp "$pid" | sed 's/.*: //')"; done`;
      const lines = namespace.run('sh', '-c', script).trim().split('\n');
      return lines.map((line) => {
        const [nice = '', cpus = ''] = line.split(' ');
        return { nice, cpus };
      });
    }
  },
);
