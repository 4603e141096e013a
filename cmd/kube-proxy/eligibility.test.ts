import { expect, test } from 'vitest';
import type { Change } from '../../pkg/kube/types.ts';
import { watchEligibility } from './eligibility.ts';

const synced: Change = { type: 'synced', kind: 'Node' };
const deleted: Change = { type: 'delete', kind: 'Node', name: { namespace: '', name: 'node-1' } };

function node(isEligible: boolean): Change {
  const object = { name: 'node-1', zone: '', addresses: [], podCIDRs: [], isEligible };
  return { type: 'set', kind: 'Node', object, problems: [] };
}

/** What health hears of some changes. */
function received(
  changes: readonly Change[],
  withoutNode: 'eligible' | 'unknown' = 'unknown',
): boolean[] {
  const reported: boolean[] = [];
  const watch = watchEligibility(
    { nodeSeen: ({ isEligible }) => void reported.push(isEligible) },
    { withoutNode },
  );
  for (const change of changes) watch(change);
  return reported;
}

test.each<[string, boolean[], boolean[]]>([
  ['the Node is reported as it is', received([node(true), synced]), [true]],
  [
    'the Node is reported as it changes',
    received([node(true), synced, node(false)]),
    [true, false],
  ],
  [
    'a deleted Node is none for load balancers',
    received([node(true), synced, deleted]),
    [true, false],
  ],
  [
    'one that is back is as it says',
    received([node(true), synced, deleted, node(true)]),
    [true, false, true],
  ],
  [
    'manifests that have no Node any more mean that it is eligible',
    received([node(false), synced, deleted], 'eligible'),
    [false, true],
  ],
  ['the API without the Node says nothing', received([synced]), []],
  ['manifests without a Node mean that it is eligible', received([synced], 'eligible'), [true]],
  ['manifests with a Node mean what it says', received([node(false), synced], 'eligible'), [false]],
  [
    'the end of another kind says nothing',
    received([{ type: 'synced', kind: 'Service' }], 'eligible'),
    [],
  ],
])('%s', (_, reported, expected) => expect(reported).toEqual(expected));
