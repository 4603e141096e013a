import { expect, test } from 'vitest';
import { KernelError } from '../errno/errno.ts';
import { recordingLogger } from '../log/memory.ts';
import { FakeSysctl } from '../sysctl/fake.ts';
import { missingCapabilities } from './capabilities.ts';

function look(status: string) {
  const log = recordingLogger();
  const process = new FakeSysctl({ values: { status } });
  return { missing: () => [...missingCapabilities({ process, log })], log };
}

const status = (effective: string) =>
  `Name:\tkube-proxy\nCapPrm:\t0000000000000000\nCapEff:\t${effective}\nCapBnd:\t000001ffffffffff`;

test.each([
  ['all of them', '000001ffffffffff'],
  ['the two that are needed', '0000000000003000'],
])('with %s nothing is missing or said', (_name, effective) => {
  const { missing, log } = look(status(effective));
  expect(missing()).toEqual([]);
  expect(log.lines()).toEqual([]);
});

test('without NET_RAW one line says what follows', () => {
  const { missing, log } = look(status('0000000001001000'));
  expect(missing()).toEqual(['CAP_NET_RAW']);
  expect(log.lines()).toEqual([
    'warning a capability is missing: add NET_RAW {"capability":"CAP_NET_RAW","consequence":"iptables cannot write rules that match on ip sets, which takes a raw socket, so Services are not masqueraded; clients that only wait for a deleted server are not reset, and connections to it are not closed"}',
  ]);
});

test.each(['0000000000000000', '0000000000002000'])(
  'without NET_ADMIN (%s) nothing goes',
  (set) => {
    expect(look(status(set)).missing).toThrow('needs the capability CAP_NET_ADMIN');
  },
);

test('what the kernel does not tell counts as there', () => {
  const { missing, log } = look('Name:\tkube-proxy');
  expect(missing()).toEqual([]);
  expect(log.lines()).toHaveLength(1);
  const process = {
    read: () => {
      throw new KernelError('read status', 'EACCES');
    },
  };
  expect(missingCapabilities({ process, log })).toEqual(new Set());
});
