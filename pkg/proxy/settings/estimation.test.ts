import { describe, expect, test } from 'vitest';
import { preparedSettings } from '../../../test/support/settings.ts';
import { recordingLogger } from '../../log/memory.ts';
import { manualClock } from '../../runner/manual-clock.ts';
import { FakeSysctl } from '../../sysctl/fake.ts';
import { type EstimationMode, estimationSettings } from './estimation.ts';
import { KernelSettings } from './kernel-settings.ts';

const run = 'net/ipv4/vs/run_estimation';
const nice = 'net/ipv4/vs/est_nice';
const list = 'net/ipv4/vs/est_cpulist';
/** As Linux 6.2 and later have it, and 6.1. */
const today = { ...preparedSettings, [run]: '1', [nice]: '0', [list]: '0-7' };
const linux61 = { ...preparedSettings, [run]: '1' };

function settingsOn(
  sysctl: FakeSysctl,
  mode: EstimationMode,
  cpus: () => string | undefined = () => '0-3',
): KernelSettings {
  return new KernelSettings({
    sysctl,
    clock: manualClock(),
    log: recordingLogger(),
    strictArp: false,
    hasLocalRoutes: false,
    isRestoring: true,
    onRestored: () => undefined,
    onChecked: () => undefined,
    others: estimationSettings(mode, cpus),
  });
}

describe('at the start', () => {
  test.each([
    { mode: 'auto', values: today, writes: [`${list}=0-3`, `${nice}=10`] },
    { mode: 'auto', values: { ...today, [run]: '0' }, writes: [`${list}=0-3`, `${nice}=10`] },
    {
      mode: 'on',
      values: { ...today, [run]: '0' },
      writes: [`${run}=1`, `${list}=0-3`, `${nice}=10`],
    },
    { mode: 'off', values: today, writes: [`${run}=0`] },
    { mode: 'auto', values: linux61, writes: [] },
    { mode: 'off', values: linux61, writes: [`${run}=0`] },
    { mode: 'off', values: preparedSettings, writes: [] },
  ] as const)('$mode writes $writes', ({ mode, values, writes }) => {
    const sysctl = new FakeSysctl({ values, release: '6.12.0' });
    settingsOn(sysctl, mode).apply();
    expect(sysctl.writes).toEqual(writes);
  });

  test('one that may not be written does not end the program', () => {
    const sysctl = new FakeSysctl({ values: today, release: '6.12.0' });
    sysctl.protect(nice);
    settingsOn(sysctl, 'auto').apply();
    expect(sysctl.writes).toEqual([`${list}=0-3`]);
  });

  test('CPUs that cannot be told leave the list as it is', () => {
    const sysctl = new FakeSysctl({ values: today, release: '6.12.0' });
    settingsOn(sysctl, 'auto', () => undefined).apply();
    expect(sysctl.writes).toEqual([`${nice}=10`]);
  });
});

test('when the CPUs of this process change, the list follows', () => {
  const sysctl = new FakeSysctl({ values: today, release: '6.12.0' });
  let cpus = '0-3';
  const settings = settingsOn(sysctl, 'auto', () => cpus);
  settings.apply();
  cpus = '0-1';
  settings.restore();
  settings.restore();
  expect(sysctl.writes).toEqual([`${list}=0-3`, `${nice}=10`, `${list}=0-1`]);
});
