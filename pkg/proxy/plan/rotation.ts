import { createHash } from 'node:crypto';
import type { RealServerId } from '../../ipvs/ipvs.ts';

/** A number that differs from node to node, by which the order of real servers is rotated. */
export function rotationOf(nodeName: string): number {
  return createHash('sha256').update(nodeName).digest().readUInt32BE();
}

/**
 * The order in which real servers are added together: by address and port, beginning with another one on each node. `rr` uses them
 * in the order of addition, and most schedulers choose by it among equal ones. With one order everywhere the first clients of all
 * nodes would get the same real server. Existing ones keep their places.
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
