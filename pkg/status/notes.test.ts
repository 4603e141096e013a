import { expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { notesAbout } from './notes.ts';
import type { StatusReport } from './report.ts';

const virtualServer = {
  protocol: 'TCP',
  port: 80,
  servicePort: null,
  addressKind: 'clusterIP',
  state: 'served',
  lostTo: null,
  scheduler: 'rr',
  flags: [],
  affinitySeconds: 0,
  moreRealServers: 0,
} as const;

const drain = {
  cause: 'endpoint',
  pod: 'gone',
  since: '2025-01-01T00:58:00Z',
  until: '2025-01-01T01:10:00Z',
  lastAnswer: null,
  ending: null,
  connections: null,
} as const;

const realServer = {
  address: ip('10.0.0.1'),
  port: 8080,
  state: 'draining',
  weight: 0,
  podUid: null,
  node: null,
  connections: null,
  drain,
} as const;

const failure = {
  object: 'virtual server TCP 172.30.0.1 80',
  error: 'ENOMEM',
  since: '2025-01-01T00:59:00Z',
  nextAttempt: '2025-01-01T01:00:03Z',
};

const report: StatusReport = {
  kind: 'IpvsStatus',
  version: 1,
  time: '2025-01-01T01:00:00Z',
  node: {
    name: 'here',
    program: 'v1',
    started: '2025-01-01T00:00:00Z',
    hasSynced: true,
    counts: { services: 1, failedServices: 1, conflicts: 0, draining: 1 },
    syncs: [],
    minutes: [
      {
        time: '2025-01-01T00:30:00Z',
        syncs: 1,
        failedSyncs: 0,
        milliseconds: 1,
        longest: 1,
        repairs: { addVirtualServer: 1 },
        examples: [
          '+vs 172.30.0.1:80/TCP rr',
          '+entry KUBE-CLUSTER-IP 172.30.0.1,tcp:80',
          '+address 172.30.0.1',
          '+address 172.30.0.11',
          '+vs 172.30.0.10:80/TCP rr',
        ],
      },
    ],
    failures: [],
    moreFailures: 0,
  },
  services: [
    {
      namespace: 'shop',
      name: 'web',
      isDeleted: false,
      unhonoured: [],
      moreUnhonoured: 0,
      failures: [failure],
      moreFailures: 0,
      virtualServers: [
        { ...virtualServer, address: ip('172.30.0.1'), realServers: [realServer] },
        { ...virtualServer, address: ip('192.168.0.10'), realServers: [realServer] },
      ],
      moreVirtualServers: 0,
    },
  ],
  continue: null,
  unreadVirtualServers: 0,
};

test('what fails, drains and was repaired at an address', () => {
  expect(notesAbout(report, ip('172.30.0.1'))).toEqual([
    'fails: virtual server TCP 172.30.0.1 80: ENOMEM, for 1m0s, tried again in 3s',
    'drains: 10.0.0.1:8080: its pod is gone; for 2m0s, 10m0s at most',
    'repaired 30m0s ago: +vs 172.30.0.1:80/TCP rr',
    'repaired 30m0s ago: +entry KUBE-CLUSTER-IP 172.30.0.1,tcp:80',
    'repaired 30m0s ago: +address 172.30.0.1',
  ]);
});

test('there are no more than anybody reads', () => {
  const services = Array.from({ length: 99 }, () => report.services[0] ?? []).flat();
  expect(notesAbout({ ...report, services }, ip('172.30.0.1'))).toHaveLength(20);
});
