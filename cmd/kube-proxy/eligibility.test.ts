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
function heard(
  changes: readonly Change[],
  withoutNode: 'eligible' | 'unknown' = 'unknown',
): boolean[] {
  const told: boolean[] = [];
  const watch = watchEligibility(
    { nodeSeen: ({ isEligible }) => void told.push(isEligible) },
    { withoutNode },
  );
  for (const change of changes) watch(change);
  return told;
}

test.each<[string, boolean[], boolean[]]>([
  ['the Node is told as it is', heard([node(true), synced]), [true]],
  ['the Node is told as it changes', heard([node(true), synced, node(false)]), [true, false]],
  [
    'a deleted Node is none for load balancers',
    heard([node(true), synced, deleted]),
    [true, false],
  ],
  [
    'one that is back is as it says',
    heard([node(true), synced, deleted, node(true)]),
    [true, false, true],
  ],
  [
    'manifests that have no Node any more mean that it is eligible',
    heard([node(false), synced, deleted], 'eligible'),
    [false, true],
  ],
  ['the API without the Node says nothing', heard([synced]), []],
  ['manifests without a Node mean that it is eligible', heard([synced], 'eligible'), [true]],
  ['manifests with a Node mean what it says', heard([node(false), synced], 'eligible'), [false]],
  [
    'the end of another kind says nothing',
    heard([{ type: 'synced', kind: 'Service' }], 'eligible'),
    [],
  ],
])('%s', (_, told, expected) => expect(told).toEqual(expected));
