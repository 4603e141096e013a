import type { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import type { Change } from '../../pkg/kube/types.ts';

/**
 * Tells health what the Node's object says about load balancers. A Node that is deleted stays as it was last seen.
 * `withoutNode` says what a source means that has told every object and no Node among them.
 */
export function watchEligibility(
  health: Pick<ProxyHealth, 'nodeSeen'>,
  { withoutNode }: { withoutNode: 'eligible' | 'unknown' },
): (change: Change) => void {
  let isSeen = false;
  return (change) => {
    if (change.type === 'set' && change.kind === 'Node') {
      isSeen = true;
      health.nodeSeen({ isEligible: change.object.isEligible });
    } else if (change.type === 'synced' && change.kind === 'Node') {
      if (!isSeen && withoutNode === 'eligible') health.nodeSeen({ isEligible: true });
    }
  };
}
