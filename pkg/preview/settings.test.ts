import { expect, test } from 'vitest';
import { FakeSysctl } from '../sysctl/fake.ts';
import { PreviewSettings } from './settings.ts';

const path = 'net/ipv4/ip_forward';

test('a write is recorded with what was there before, read back, and not done', () => {
  const real = new FakeSysctl({ values: { [path]: '0' } });
  const preview = new PreviewSettings();
  const sysctl = preview.over(real);
  sysctl.write(path, '1');
  expect(sysctl.read(path)).toBe('1');
  expect(real.read(path)).toBe('0');
  expect(preview.changes).toEqual([{ path, before: '0', value: '1' }]);
});

test('changes below another folder have it in their path', () => {
  const preview = new PreviewSettings();
  const sysfs = preview.over(new FakeSysctl({ values: {} }), '/sys/');
  sysfs.write('module/nf_conntrack/parameters/hashsize', '8192');
  expect(preview.changes).toEqual([
    { path: '/sys/module/nf_conntrack/parameters/hashsize', before: undefined, value: '8192' },
  ]);
});

test.each([
  { before: { tcp: 900, tcpFin: 120, udp: 300 }, was: '900 120 300', value: '60 120 300' },
  { before: undefined, was: undefined, value: '60 0 0' },
])('timeouts of IPVS, before $was', ({ before, was, value }) => {
  const preview = new PreviewSettings();
  preview.timeouts(before && (() => before)).setTimeouts({ tcp: 60, tcpFin: 0, udp: 0 });
  expect(preview.changes).toEqual([{ path: 'IPVS timeouts (tcp tcpfin udp)', before: was, value }]);
});
