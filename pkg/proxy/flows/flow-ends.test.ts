import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { type FlowEnds, FlowEndsMap } from './flow-ends.ts';

const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
const realServer = { address: ip('10.0.0.1'), port: 8080 };
const ends: FlowEnds = { virtualServer, realServer };

test.each<[string, FlowEnds]>([
  ['address', { ...ends, virtualServer: { ...virtualServer, address: ip('172.30.0.2') } }],
  ['port', { ...ends, virtualServer: { ...virtualServer, port: 81 } }],
  ['protocol', { ...ends, virtualServer: { ...virtualServer, protocol: 'UDP' } }],
  ['real address', { ...ends, realServer: { ...realServer, address: ip('10.0.0.2') } }],
  ['real port', { ...ends, realServer: { ...realServer, port: 8081 } }],
])('a flow to another %s has another place', (_, other) => {
  const map = new FlowEndsMap<string>().set(ends, 'one').set(other, 'other');
  expect([map.get({ ...ends }), map.get({ ...other })]).toEqual(['one', 'other']);
  expect([...map.values()].sort((some, another) => (some < another ? -1 : 1))).toEqual([
    'one',
    'other',
  ]);
});

test('neighbouring ports of other protocols are kept apart', () => {
  const map = new FlowEndsMap<string>();
  for (const port of [79, 80, 81])
    for (const protocol of ['TCP', 'UDP', 'SCTP'] as const)
      map.set(
        { ...ends, virtualServer: { ...virtualServer, port, protocol } },
        `${port}${protocol}`,
      );
  expect([...map.values()]).toHaveLength(9);
  expect(map.get({ ...ends, virtualServer: { ...virtualServer, protocol: 'SCTP' } })).toBe(
    '80SCTP',
  );
});
