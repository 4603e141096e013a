import { messageCount } from '../plan/add-real-servers.ts';
import type { FailedOperation } from '../plan/failed-operation.ts';
import type { Operation, SingleOperation } from '../plan/operation.ts';

interface Count {
  done: number;
  failed: number;
}

/** How many operations of each kind succeeded and failed, by what is sent: one that stands for several counts as these. */
export function countKinds(
  done: readonly Operation[],
  failed: readonly FailedOperation[],
): ReadonlyMap<SingleOperation['kind'], Count> {
  const counts = new Map<SingleOperation['kind'], Count>();
  const countOf = (kind: Operation['kind']) => {
    const counted = kind === 'addRealServers' ? 'addRealServer' : kind;
    const count = counts.get(counted) ?? { done: 0, failed: 0 };
    counts.set(counted, count);
    return count;
  };
  let last: { readonly kind: Operation['kind']; readonly count: Count } | undefined;
  for (let at = 0; at < done.length; at++) {
    const operation = done[at] as Operation; // within the list
    // Most have the kind of the one before.
    if (operation.kind !== last?.kind)
      last = { kind: operation.kind, count: countOf(operation.kind) };
    last.count.done += messageCount(operation);
  }
  for (const { operation } of failed) countOf(operation.kind).failed++;
  return counts;
}
