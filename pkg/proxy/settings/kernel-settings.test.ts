import { describe, expect, test } from 'vitest';
import { preparedSettings } from '../../../test/support/settings.ts';
import { recordingLogger } from '../../log/memory.ts';
import { manualClock } from '../../runner/manual-clock.ts';
import { FakeSysctl } from '../../sysctl/fake.ts';
import type { Sysctl } from '../../sysctl/sysctl.ts';
import { type ChangedSetting, KernelSettings } from './kernel-settings.ts';

const [conntrack, reuse, nodest, quiescent, forward] = [
  'net/ipv4/vs/conntrack',
  'net/ipv4/vs/conn_reuse_mode',
  'net/ipv4/vs/expire_nodest_conn',
  'net/ipv4/vs/expire_quiescent_template',
  'net/ipv4/ip_forward',
];
const untouched = {
  [conntrack]: '0',
  [reuse]: '1',
  [nodest]: '0',
  [quiescent]: '0',
  [forward]: '0',
  'net/ipv4/conf/all/arp_ignore': '0',
  'net/ipv4/conf/all/arp_announce': '0',
};
const always = [`${conntrack}=1`, `${nodest}=1`, `${quiescent}=1`, `${forward}=1`];
const withoutDelay = [always[0], `${reuse}=0`, ...always.slice(1)];

function make(
  sysctl: Sysctl,
  { strictArp = false, hasLocalRoutes = false, isRestoring = true } = {},
) {
  const log = recordingLogger();
  const clock = manualClock();
  const restored: ChangedSetting[] = [];
  const wrong: number[] = [];
  const settings = new KernelSettings({
    sysctl,
    clock,
    log,
    strictArp,
    hasLocalRoutes,
    isRestoring,
    onRestored: (setting) => restored.push(setting),
    onChecked: (count) => wrong.push(count),
  });
  return { clock, settings, restored, wrong, lines: () => log.lines() };
}

describe('at the start', () => {
  test.each([
    ['4.0.9', '1', always, 1],
    ['4.1.0', '1', withoutDelay, 0],
    ['4.18.0-553.el8_10.x86_64', '1', withoutDelay, 0],
    ['5.8.18', '1', withoutDelay, 0],
    ['5.9.0', '1', always, 0],
    ['5.10.0-28-amd64', '0', [always[0], `${reuse}=1`, ...always.slice(1)], 0],
    ['6.1.0', '3', always, 0],
    ['unknown', '1', always, 1],
  ])('kernel %s with conn_reuse_mode=%s', (release, mode, writes, warnings) => {
    const sysctl = new FakeSysctl({ values: { ...untouched, [reuse]: mode }, release });
    const { settings, lines } = make(sysctl);
    settings.apply();
    expect(sysctl.writes).toEqual(writes);
    expect(lines().filter((line) => line.startsWith('warn'))).toHaveLength(warnings);
  });

  test('strict ARP adds two settings', () => {
    const sysctl = new FakeSysctl({ values: untouched });
    make(sysctl, { strictArp: true }).settings.apply();
    expect(sysctl.writes).toEqual([
      ...always,
      'net/ipv4/conf/all/arp_ignore=1',
      'net/ipv4/conf/all/arp_announce=2',
    ]);
  });

  test.each([
    ['0', [...always, 'net/ipv4/conf/all/arp_ignore=1']],
    ['1', always],
    ['2', always],
    ['3', [...always, 'net/ipv4/conf/all/arp_ignore=1']],
  ])('with local routes and arp_ignore=%s the node answers ARP for no VIP', (ignore, writes) => {
    const path = 'net/ipv4/conf/all/arp_ignore';
    const sysctl = new FakeSysctl({ values: { ...untouched, [path]: ignore } });
    make(sysctl, { hasLocalRoutes: true }).settings.apply();
    expect(sysctl.writes).toEqual(writes);
  });

  test('what is right already is not written, even where it could not be', () => {
    const sysctl = new FakeSysctl({ values: { ...untouched, [forward]: '1' } });
    sysctl.protect(forward);
    const { settings, lines } = make(sysctl);
    settings.apply();
    expect(sysctl.writes).toEqual(always.slice(0, 3));
    expect(lines()[0]).toBe(
      'info set a kernel setting {"path":"net/ipv4/vs/conntrack","before":"0","value":"1"}',
    );
    expect(lines()).toHaveLength(3);
    settings.apply();
    expect(sysctl.writes).toHaveLength(3);
  });

  test('one that cannot be written is named with its value', () => {
    const sysctl = new FakeSysctl({ values: untouched });
    sysctl.protect(nodest);
    expect(() => make(sysctl).settings.apply()).toThrow(
      `can't set sysctl ${nodest} to 1: write 1 to ${nodest}: EACCES`,
    );
  });

  test('conn_reuse_mode is no reason not to start where expire_nodest_conn does the same', () => {
    const sysctl = new FakeSysctl({ values: { ...untouched, [reuse]: '0' } });
    sysctl.protect(reuse);
    const { settings, lines } = make(sysctl);
    settings.apply();
    expect(sysctl.writes).toEqual(always);
    expect(lines().filter((line) => line.startsWith('warn'))).toEqual([
      `warning can't set sysctl ${reuse} to 1: write 1 to ${reuse}: EACCES`,
    ]);
  });

  test('a kernel without IPVS settings is told so', () => {
    const sysctl = new FakeSysctl({ values: { [forward]: '1' } });
    expect(() => make(sysctl).settings.apply()).toThrow(
      /^can't set sysctl net\/ipv4\/vs\/conntrack to 1: .*ENOENT/,
    );
  });

  test('one that cannot be read is written', () => {
    const sysctl = new FakeSysctl({ values: { ...untouched, [forward]: '1' } });
    const unreadable = {
      read: () => {
        throw new Error('no');
      },
      write: (path: string, value: string) => sysctl.write(path, value),
      kernelRelease: () => '6.1.0',
    };
    make(unreadable).settings.apply();
    expect(sysctl.writes).toEqual([always[0], `${reuse}=1`, ...always.slice(1)]);
  });
});

describe('later', () => {
  test('nothing is written or said while nobody changes anything', () => {
    const sysctl = new FakeSysctl({ values: preparedSettings });
    const { settings, restored, wrong, lines } = make(sysctl);
    settings.apply();
    settings.restore();
    expect([sysctl.writes, restored, wrong, lines()]).toEqual([[], [], [0], []]);
  });

  test.each([
    [conntrack, '0', '1'],
    [reuse, '0', '1'],
    [nodest, '0', '1'],
    [quiescent, '0', '1'],
    [forward, '0', '1'],
  ])('%s, set to %s by somebody else, is restored, counted and said', (path, before, value) => {
    const sysctl = new FakeSysctl({ values: preparedSettings });
    const { settings, restored, wrong, lines } = make(sysctl);
    settings.apply();
    sysctl.write(path, before);
    settings.restore();
    expect(sysctl.read(path)).toBe(value);
    expect([restored, wrong]).toEqual([[{ path, before, value }], [0]]);
    expect(lines()).toEqual([
      `info restored a kernel setting {"path":"${path}","before":"${before}","value":"${value}"}`,
    ]);
  });

  test('kernels before 5.9 get their conn_reuse_mode back', () => {
    const sysctl = new FakeSysctl({
      values: { ...preparedSettings, [reuse]: '0' },
      release: '4.18.0',
    });
    const { settings, restored } = make(sysctl);
    settings.apply();
    sysctl.write(reuse, '1');
    settings.restore();
    expect(restored).toEqual([{ path: reuse, before: '1', value: '0' }]);
  });

  test('what cannot be restored is said once, counted at each look, and hinders no other', () => {
    const sysctl = new FakeSysctl({ values: preparedSettings });
    const { settings, restored, wrong, lines } = make(sysctl);
    settings.apply();
    for (const path of [nodest, quiescent]) sysctl.write(path, '0');
    sysctl.protect(nodest);
    for (let look = 0; look < 3; look++) settings.restore();
    expect(restored.map(({ path }) => path)).toEqual([quiescent]);
    expect(wrong).toEqual([1, 1, 1]);
    expect(lines().filter((line) => line.startsWith('error'))).toEqual([
      `error a kernel setting is not as IPVS mode needs it: can't set sysctl ${nodest} to 1: write 1 to ${nodest}: EACCES`,
    ]);
  });

  test.each([true, false])(
    'it is said again, at most once a minute, if it was right in between (restored: %s)',
    async (isRestoring) => {
      const sysctl = new FakeSysctl({ values: preparedSettings });
      const { clock, settings, lines } = make(sysctl, { isRestoring });
      for (let second = 0; second < 121; second++) {
        sysctl.write(nodest, second % 2 === 0 ? '0' : '1');
        settings.restore();
        await clock.advance(1_000);
      }
      expect(lines()).toHaveLength(3);
    },
  );

  test('one that cannot be read is not written, and said', () => {
    const sysctl = new FakeSysctl({ values: preparedSettings });
    const unreadable: Sysctl = {
      read: (path) => {
        if (path === nodest) throw new Error('no');
        return sysctl.read(path);
      },
      write: (path, value) => sysctl.write(path, value),
      kernelRelease: () => '6.1.0',
    };
    const { settings, restored, wrong, lines } = make(unreadable);
    settings.restore();
    expect([sysctl.writes, restored, wrong]).toEqual([[], [], [1]]);
    expect(lines()).toHaveLength(1);
  });

  test('what others change stays changed if so configured, and is said', () => {
    const sysctl = new FakeSysctl({ values: preparedSettings });
    const { settings, restored, wrong, lines } = make(sysctl, { isRestoring: false });
    settings.apply();
    sysctl.write(nodest, '0');
    for (let look = 0; look < 2; look++) settings.restore();
    expect([sysctl.read(nodest), restored, wrong]).toEqual(['0', [], [1, 1]]);
    expect(lines()).toEqual([
      `error a kernel setting is not as IPVS mode needs it: ${nodest} is 0, not 1`,
    ]);
  });
});
