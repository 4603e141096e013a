import { describe, expect, test } from 'vitest';
import { unknownPod } from '../../pkg/proxy/desired/pod-identity.ts';
import { masqueraded } from '../../pkg/proxy/desired/real-servers.ts';
import type { EndedDrain } from '../../pkg/proxy/graceful/list.ts';
import { ip } from '../../test/support/addresses.ts';
import { annotationEvent, conflictEvent, cutEvent, invalidObjectEvent } from './service-events.ts';

const service = { namespace: 'shop', name: 'web', uid: 'u-1' };
const regarding = { kind: 'Service', apiVersion: 'v1', ...service };
const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;

function drain(over: Partial<EndedDrain>): EndedDrain {
  const realServer = masqueraded({ address: ip('10.0.0.2'), port: 8080, weight: 0 });
  return {
    virtualServer,
    realServer,
    podUid: unknownPod,
    end: 'deadline',
    age: 1,
    cutConnections: 1,
    ...over,
  };
}

test.each([
  [0, '172.30.0.1:80/TCP is served for Service shop/old, which comes first'],
  [7, '172.30.0.1:80/TCP and 7 more is served for Service shop/old, which comes first'],
])('a lost virtual server, and %i others, are told to the loser', (others, note) => {
  expect(conflictEvent(service, { virtualServer, winner: 'shop/old', others })).toEqual({
    regarding,
    type: 'Warning',
    reason: 'VirtualServerConflict',
    action: 'SyncService',
    note,
  });
});

describe('connections that were cut', () => {
  const head = '10.0.0.2:8080 was taken out of 172.30.0.1:80/TCP';
  test.each<[Partial<EndedDrain>, string]>([
    [{}, `${head} at its drain deadline, with 1 connection left`],
    [
      { end: 'unanswered', cutConnections: 7 },
      `${head} because it answers no more, with 7 connections left`,
    ],
  ])('%s', (over, note) => {
    expect(cutEvent(service, drain(over))).toEqual({
      regarding,
      type: 'Warning',
      reason: 'ConnectionsCut',
      action: 'DrainEndpoint',
      note,
    });
  });

  test.each<Partial<EndedDrain>>([
    { cutConnections: 0 },
    { end: 'podGone', cutConnections: 3 },
    { end: 'wanted', cutConnections: 3 },
    { end: 'empty', cutConnections: 3 },
  ])('are not spoken of if %s', (over) => {
    expect(cutEvent(service, drain(over))).toBeUndefined();
  });
});

test('every problem of annotations is reported, as far as the API takes it', () => {
  const problems = [
    { field: 'a', message: 'is wrong' },
    { field: 'b', message: 'x'.repeat(2_000) },
  ];
  const { note, ...rest } = annotationEvent(service, problems);
  expect(rest).toEqual({
    regarding,
    type: 'Warning',
    reason: 'InvalidAnnotation',
    action: 'SyncService',
  });
  expect(note).toMatch(/^a: is wrong; b: xxx/);
  expect(note).toHaveLength(1_000);
});

test.each([
  ['Service', 'InvalidService', 'f: is wrong'],
  ['EndpointSlice', 'InvalidEndpointSlice', 'EndpointSlice web-1: f: is wrong'],
] as const)('what is wrong with a %s is told to its Service', (kind, reason, note) => {
  const problems = [{ field: 'f', message: 'is wrong' }];
  const object = { namespace: 'shop', name: 'web-1', kind, service };
  expect(invalidObjectEvent(object, problems)).toEqual({
    regarding,
    type: 'Warning',
    reason,
    action: 'SyncService',
    note,
  });
});
