import { expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { packUid } from '../kube/objects/pod-uid.ts';
import { masqueraded } from '../proxy/desired/real-servers.ts';
import type { SingleOperation } from '../proxy/plan/operation.ts';
import { affectedConnections } from './connections.ts';

const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
const realServer = masqueraded({ address: ip('10.0.0.1'), port: 8080, weight: 0 });

/** Three connections at each real server, five at a virtual server. */
const count = (_: unknown, one: unknown) => (one === undefined ? 5 : 3);

const rows: readonly {
  operation: SingleOperation;
  effect: string | undefined;
  connections?: number;
}[] = [
  { operation: { kind: 'deleteVirtualServer', virtualServer }, effect: 'cut', connections: 5 },
  {
    operation: { kind: 'deleteRealServer', virtualServer, realServer, reason: 'deadline' },
    effect: 'cut',
    connections: 3,
  },
  {
    operation: { kind: 'replaceRealServer', virtualServer, realServer, podUid: packUid('a') },
    effect: 'cut',
    connections: 3,
  },
  {
    operation: { kind: 'drainRealServer', virtualServer, realServer, podUid: packUid('a') },
    effect: 'drained',
    connections: 3,
  },
  {
    operation: { kind: 'addRealServer', virtualServer, realServer, podUid: packUid('a') },
    effect: undefined,
  },
  { operation: { kind: 'makeDevice' }, effect: undefined },
];

test.each(rows)('$operation.kind: $effect', ({ operation, effect, connections }) => {
  const found = affectedConnections([operation], count);
  expect(found.map((each) => [each.effect, each.connections])).toEqual(
    effect === undefined ? [] : [[effect, connections]],
  );
});

test('says nothing of places without connections', () => {
  expect(affectedConnections([{ kind: 'deleteVirtualServer', virtualServer }], () => 0)).toEqual(
    [],
  );
});
