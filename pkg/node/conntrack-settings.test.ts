import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import type { ConntrackConfig } from '../config/types.ts';
import { recordingLogger } from '../log/memory.ts';
import { FakeSysctl } from '../sysctl/fake.ts';
import { applyConntrackLimits, conntrackMax, onlineCpus } from './conntrack-settings.ts';

describe('how many entries', () => {
  test.each([
    ['as many as the CPUs want', { maxPerCore: 32_768, min: 131_072 }, 8, 262_144],
    ['but not fewer than the least', { maxPerCore: 32_768, min: 131_072 }, 2, 131_072],
    ['nor more than the cap', { maxPerCore: 524_288, min: 0 }, 3, 1_048_576],
    ['just the cap', { maxPerCore: 524_288, min: 0 }, 2, 1_048_576],
    ['the least does not count above the cap', { maxPerCore: 524_288, min: 2e6 }, 3, 1_048_576],
    ['a least of its own may be above it', { maxPerCore: 1, min: 2e6 }, 3, 2_000_000],
    ['none wanted', { maxPerCore: 0, min: 131_072 }, 8, 0],
  ])('%s', (_, limits, cpus, max) => expect(conntrackMax(limits, cpus)).toBe(max));
});

describe('how many CPUs', () => {
  test.each([
    ['0-3', 4],
    ['0', 1],
    ['0-1,4,6-7\n', 5],
    ['nonsense', availableParallelism()],
    ['', availableParallelism()],
  ])('%j', (online, count) => {
    const sysfs = new FakeSysctl({ values: { 'devices/system/cpu/online': online } });
    expect(onlineCpus(sysfs)).toBe(count);
  });
  test('without sysfs, the runtime says', () => {
    expect(onlineCpus(new FakeSysctl())).toBe(availableParallelism());
  });
});

const max = 'net/netfilter/nf_conntrack_max';
const established = 'net/netfilter/nf_conntrack_tcp_timeout_established';
const closeWait = 'net/netfilter/nf_conntrack_tcp_timeout_close_wait';
const liberal = 'net/netfilter/nf_conntrack_tcp_be_liberal';
const udp = 'net/netfilter/nf_conntrack_udp_timeout';
const udpStream = 'net/netfilter/nf_conntrack_udp_timeout_stream';
const hashSize = 'module/nf_conntrack/parameters/hashsize';

const kernel = {
  [max]: '65536',
  [established]: '432000',
  [closeWait]: '60',
  [liberal]: '0',
  [udp]: '30',
  [udpStream]: '120',
};

const limits: ConntrackConfig = {
  maxPerCore: 32_768,
  min: 131_072,
  tcpEstablishedTimeout: 86_400_000,
  tcpCloseWaitTimeout: 3_600_000,
  tcpBeLiberal: false,
  udpTimeout: 0,
  udpStreamTimeout: 0,
};
const nothing: ConntrackConfig = {
  ...limits,
  maxPerCore: 0,
  tcpEstablishedTimeout: 0,
  tcpCloseWaitTimeout: 0,
};

function node(values: Readonly<Record<string, string>> = kernel, hash = '16384') {
  const sysctl = new FakeSysctl({ values });
  const sysfs = new FakeSysctl({
    values: { 'devices/system/cpu/online': '0-1', [hashSize]: hash },
  });
  const log = recordingLogger();
  const apply = (wanted: ConntrackConfig) => applyConntrackLimits(wanted, { sysctl, sysfs, log });
  return { sysctl, sysfs, log, apply };
}

test('what differs is set, once', () => {
  const { sysctl, sysfs, log, apply } = node();
  apply(limits);
  expect(sysctl.writes).toEqual([`${max}=131072`, `${established}=86400`, `${closeWait}=3600`]);
  expect(sysfs.writes).toEqual([`${hashSize}=32768`]);
  expect(log.lines()).toHaveLength(4);
  apply(limits);
  expect(sysctl.writes).toHaveLength(3);
  expect(sysfs.writes).toHaveLength(1);
});

test('a larger table stays', () => {
  const { sysctl, sysfs, apply } = node({ ...kernel, [max]: '262144' }, '65536');
  apply({ ...nothing, maxPerCore: 1 });
  expect([sysctl.writes, sysfs.writes]).toEqual([[], []]);
});

test('nothing is asked for, nothing is written', () => {
  const { sysctl, sysfs, apply } = node();
  apply(nothing);
  expect([sysctl.writes, sysfs.writes]).toEqual([[], []]);
});

test('every timeout has its setting, in whole seconds', () => {
  const { sysctl, apply } = node();
  apply({
    ...nothing,
    tcpEstablishedTimeout: 1_999,
    tcpCloseWaitTimeout: 2_000,
    tcpBeLiberal: true,
    udpTimeout: 3_000,
    udpStreamTimeout: 4_000,
  });
  expect(sysctl.writes).toEqual([
    `${established}=1`,
    `${closeWait}=2`,
    `${liberal}=1`,
    `${udp}=3`,
    `${udpStream}=4`,
  ]);
});

test('what may not be written stays, and is reported', () => {
  const { sysctl, sysfs, log, apply } = node();
  sysctl.protect(max);
  sysfs.protect(hashSize);
  apply(limits);
  expect(sysctl.writes).toEqual([`${established}=86400`, `${closeWait}=3600`]);
  expect(log.lines().filter((line) => line.startsWith('warning'))).toEqual([
    expect.stringContaining(`warning a kernel setting stays as it is {"path":"${max}"`),
    expect.stringContaining("warning conntrack's hash table stays as it is"),
  ]);
});

test('a kernel without conntrack is an error that names the setting', () => {
  expect(() => node({}).apply(limits)).toThrow(
    `could not set conntrack parameters from kube-proxy configuration: write 131072 to ${max}: ENOENT`,
  );
});
