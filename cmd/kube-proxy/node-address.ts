import { type IpAddress, isUnspecified } from '../../pkg/ip/address.ts';
import type { Change } from '../../pkg/kube/types.ts';

/**
 * The Node with `--bind-address` in front of its addresses, as that counts as the node's own of its family; an unspecified one
 * stands for what the Node says. Other changes are passed on as they are.
 */
export function withBindAddress(bindAddress: IpAddress): (change: Change) => Change {
  if (isUnspecified(bindAddress)) return (change) => change;
  return (change) => {
    if (change.type !== 'set' || change.kind !== 'Node') return change;
    const { object } = change;
    const addresses = [...new Set([bindAddress, ...object.addresses])];
    return { ...change, object: { ...object, addresses } };
  };
}
