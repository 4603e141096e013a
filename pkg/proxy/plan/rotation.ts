import { createHash } from 'node:crypto';
import type { RealServerId } from '../../ipvs/ipvs.ts';

/** A number of this node's own, by which it turns the order of real servers that it adds together. */
export function rotationOf(nodeName: string): number {
  return createHash('sha256').update(nodeName).digest().readUInt32BE();
}

/**
 * The order in which real servers are added together: by address and port, begun at another one on each node. The order in which they
 * were added is the order in which `rr` asks them, and by which most schedulers choose among equals: with the same order on every node
 * the first clients of all nodes would meet at one real server. Those that stand already keep their places.
 */
export function inRotation<T extends { readonly realServer: RealServerId }>(
  added: readonly T[],
  rotation: number,
): readonly T[] {
  if (added.length < 2) return added;
  const sorted = added.toSorted(byAddress);
  const first = rotation % sorted.length;
  return first === 0 ? sorted : sorted.slice(first).concat(sorted.slice(0, first));
}

function byAddress(
  { realServer: one }: { readonly realServer: RealServerId },
  { realServer: other }: { readonly realServer: RealServerId },
): number {
  if (one.address < other.address) return -1;
  return one.address === other.address ? one.port - other.port : 1;
}
