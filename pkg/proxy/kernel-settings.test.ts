import { expect, test } from 'vitest';
import { FakeSysctl } from '../sysctl/fake.ts';
import { applyKernelSettings } from './kernel-settings.ts';

const untouched = {
  'net/ipv4/vs/conntrack': '0',
  'net/ipv4/vs/conn_reuse_mode': '1',
  'net/ipv4/vs/expire_nodest_conn': '0',
  'net/ipv4/vs/expire_quiescent_template': '0',
  'net/ipv4/ip_forward': '0',
  'net/ipv4/conf/all/arp_ignore': '0',
  'net/ipv4/conf/all/arp_announce': '0',
};

const always = [
  'net/ipv4/vs/conntrack=1',
  'net/ipv4/vs/expire_nodest_conn=1',
  'net/ipv4/vs/expire_quiescent_template=1',
  'net/ipv4/ip_forward=1',
];

test.each([
  ['4.0.9', always, 1],
  ['4.1.0', [always[0], 'net/ipv4/vs/conn_reuse_mode=0', ...always.slice(1)], 0],
  ['4.18.0-553.el8_10.x86_64', [always[0], 'net/ipv4/vs/conn_reuse_mode=0', ...always.slice(1)], 0],
  ['5.8.18', [always[0], 'net/ipv4/vs/conn_reuse_mode=0', ...always.slice(1)], 0],
  ['5.9.0', always, 0],
  ['5.10.0-28-amd64', always, 0],
  ['6.1.0', always, 0],
  ['unknown', always, 1],
])('kernel %s', (release, writes, warnings) => {
  const sysctl = new FakeSysctl({ values: untouched, release });
  const result = applyKernelSettings(sysctl, { strictArp: false });
  expect(sysctl.writes).toEqual(writes);
  expect(result.warnings).toHaveLength(warnings);
});

test('strict ARP adds two settings', () => {
  const sysctl = new FakeSysctl({ values: untouched });
  applyKernelSettings(sysctl, { strictArp: true });
  expect(sysctl.writes).toEqual([
    ...always,
    'net/ipv4/conf/all/arp_ignore=1',
    'net/ipv4/conf/all/arp_announce=2',
  ]);
});

test('what is right already is not written, even where it could not be', () => {
  const sysctl = new FakeSysctl({ values: { ...untouched, 'net/ipv4/ip_forward': '1' } });
  sysctl.protect('net/ipv4/ip_forward');
  const { changed } = applyKernelSettings(sysctl, { strictArp: false });
  expect(changed).toEqual([
    { path: 'net/ipv4/vs/conntrack', before: '0', value: '1' },
    { path: 'net/ipv4/vs/expire_nodest_conn', before: '0', value: '1' },
    { path: 'net/ipv4/vs/expire_quiescent_template', before: '0', value: '1' },
  ]);
  expect(applyKernelSettings(sysctl, { strictArp: false }).changed).toEqual([]);
});

test('a setting that cannot be written is named with its value', () => {
  const sysctl = new FakeSysctl({ values: untouched });
  sysctl.protect('net/ipv4/vs/expire_nodest_conn');
  expect(() => applyKernelSettings(sysctl, { strictArp: false })).toThrow(
    "can't set sysctl net/ipv4/vs/expire_nodest_conn to 1: write 1 to net/ipv4/vs/expire_nodest_conn: EACCES",
  );
});

test('a kernel without IPVS settings is told so', () => {
  const sysctl = new FakeSysctl({ values: { 'net/ipv4/ip_forward': '1' } });
  expect(() => applyKernelSettings(sysctl, { strictArp: false })).toThrow(
    /^can't set sysctl net\/ipv4\/vs\/conntrack to 1: .*ENOENT/,
  );
});

test('a setting that cannot be read is written', () => {
  const sysctl = new FakeSysctl({ values: { ...untouched, 'net/ipv4/ip_forward': '1' } });
  const unreadable = {
    read: () => {
      throw new Error('no');
    },
    write: (path: string, value: string) => sysctl.write(path, value),
    kernelRelease: () => '6.1.0',
  };
  applyKernelSettings(unreadable, { strictArp: false });
  expect(sysctl.writes).toEqual(always);
});
