import type { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import type { Change } from '../../pkg/kube/types.ts';

/**
 * Reports to health whether the Node is eligible for load balancers. Without a Node it is not. `withoutNode` says whether it is
 * eligible if the source has never had one.
 */
export function watchEligibility(
  health: Pick<ProxyHealth, 'nodeSeen'>,
  { withoutNode }: { withoutNode: 'eligible' | 'unknown' },
): (change: Change) => void {
  const isEligibleWithout = withoutNode === 'eligible';
  let isSeen = false;
  return (change) => {
    if (!('kind' in change) || change.kind !== 'Node') return;
    if (change.type === 'set') {
      isSeen = true;
      health.nodeSeen({ isEligible: change.object.isEligible });
    } else if (change.type === 'delete') health.nodeSeen({ isEligible: isEligibleWithout });
    else if (change.type === 'synced' && !isSeen && isEligibleWithout)
      health.nodeSeen({ isEligible: true });
  };
}
