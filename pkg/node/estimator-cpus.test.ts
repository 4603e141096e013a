import { expect, test } from 'vitest';
import { FakeSysctl } from '../sysctl/fake.ts';
import { parseCpuList, printCpuList } from './cpu-list.ts';
import { estimatorCpus } from './estimator-cpus.ts';

test.each([
  ['0-3,8', [0, 1, 2, 3, 8]],
  ['5', [5]],
  ['', []],
  ['0-1\n', [0, 1]],
] as const)('the list %j is of CPUs %j', (text, cpus) => {
  expect([...(parseCpuList(text) ?? [])]).toEqual(cpus);
  expect(printCpuList(new Set(cpus))).toBe(text.trim());
});

test.each(['(null)', '3-1', 'a', '1-', '0-99999', '-1'])('%j is no list', (text) => {
  expect(parseCpuList(text)).toBeUndefined();
});

test('CPUs are printed in order, with ranges', () => {
  expect(printCpuList(new Set([9, 1, 0, 2, 7]))).toBe('0-2,7,9');
});

const status = (list: string) => `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\n`;

test.each([
  { allowed: '0-7', isolated: '', nohz: undefined, cpus: '0-7' },
  { allowed: '0-7', isolated: '2-3', nohz: '(null)', cpus: '0-1,4-7' },
  { allowed: '0,4', isolated: '', nohz: '4', cpus: '0' },
  { allowed: '4', isolated: '4', nohz: '', cpus: undefined },
  { allowed: 'x', isolated: '', nohz: '', cpus: undefined },
])('of $allowed, with $isolated and $nohz kept free, $cpus', (row) => {
  const process = new FakeSysctl({ values: { status: status(row.allowed) } });
  const sysfs = new FakeSysctl({
    values: {
      'devices/system/cpu/isolated': row.isolated,
      ...(row.nohz !== undefined && { 'devices/system/cpu/nohz_full': row.nohz }),
    },
  });
  expect(estimatorCpus({ process, sysfs })).toBe(row.cpus);
});
