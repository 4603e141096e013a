import { expect, test } from 'vitest';
import {
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
} from '../../pkg/ipvs/ipvs.ts';
import { type KernelState, tracedSet } from '../../pkg/trace/state.ts';
import { ip, net } from './addresses.ts';
import { savedState } from './saved-state.ts';

function saved(over: Partial<Parameters<typeof savedState>[0]>): KernelState {
  const nothing = { ipvs: '', addresses: '', sets: '', IPv4: '', IPv6: '', sysctls: '' };
  return savedState({ ...nothing, ...over });
}

test('virtual servers and real servers are read from what ipvsadm saves', () => {
  const { virtualServers } = saved({
    ipvs: [
      '-A -t 172.30.0.1:80 -s mh -b mh-fallback,mh-port',
      '-a -t 172.30.0.1:80 -r 10.0.1.1:8080 -m -w 0',
      '-A --sctp-service [fd00:172:30::1]:80 -s rr -p 10800',
      '-a --sctp-service [fd00:172:30::1]:80 -r [fd00:10::1]:8080 -g -w 2',
    ].join('\n'),
  });
  expect([...virtualServers.values()]).toMatchObject([
    {
      virtualServer: {
        address: '172.30.0.1',
        protocol: 'TCP',
        port: 80,
        scheduler: 'mh',
        timeout: 0,
        flags: IP_VS_SVC_F_SCHED1 | IP_VS_SVC_F_SCHED2,
      },
      realServers: [{ address: '10.0.1.1', port: 8080, weight: 0, forwarding: 'masquerade' }],
    },
    {
      virtualServer: {
        address: 'fd00:172:30::1',
        protocol: 'SCTP',
        scheduler: 'rr',
        timeout: 10_800,
        flags: IP_VS_SVC_F_PERSISTENT,
      },
      realServers: [{ address: 'fd00:10::1', weight: 2, forwarding: 'direct' }],
    },
  ]);
});

test('sets are read from what ipset saves, and those with more than entries are not', () => {
  const { sets } = saved({
    sets: [
      'create N hash:ip,port,net family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1',
      'add N 172.30.0.1,tcp:80,10.0.0.0/8',
      'add N 172.30.0.1,tcp:80,10.0.0.7',
      'create P bitmap:port range 0-65535',
      'add P 30080',
      'create X hash:ip,port,net family inet hashsize 1024 maxelem 65536',
      'add X 172.30.0.1,tcp:80,10.0.0.0/8 nomatch',
      'create O hash:net family inet hashsize 1024 maxelem 65536',
    ].join('\n'),
  });
  const entry = {
    type: 'hash:ip,port,net',
    ip: ip('172.30.0.1'),
    protocol: 'TCP',
    port: 80,
  } as const;
  expect(sets).toEqual(
    new Map<string, unknown>([
      [
        'N',
        tracedSet(
          entry.type,
          ['10.0.0.0/8', '10.0.0.7/32'].map((text) => ({ ...entry, net: net(text) })),
        ),
      ],
      ['P', tracedSet('bitmap:port', [{ type: 'bitmap:port', port: 30080 }])],
      ['X', 'unreadable'],
      ['O', 'unreadable'],
    ]),
  );
});

test('addresses are read with their devices', () => {
  const { addresses } = saved({
    addresses: [
      '1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever',
      '3: kube-ipvs0    inet6 fd00:172:30::1/128 scope global \\       valid_lft forever',
    ].join('\n'),
  });
  expect(addresses).toEqual(
    new Map([
      ['127.0.0.1', 'lo'],
      ['fd00:172:30::1', 'kube-ipvs0'],
    ]),
  );
});
