import { createHash } from 'node:crypto';
import type { IpAddress } from '../../ip/address.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';

/** A number that differs from node to node, by which the order of real servers is rotated. */
export function rotationOf(nodeName: string): number {
  return createHash('sha256').update(nodeName).digest().readUInt32BE();
}

/**
 * The order in which real servers are added together: by their place, which is address and port, beginning with another one on each node. `rr` uses them
 * in the order of addition, and most schedulers choose by it among equal ones. With one order everywhere the first clients of all
 * nodes would get the same real server. Existing ones keep their places.
 */
export function inRotation<T>(
  added: readonly T[],
  { byPlace, rotation }: { byPlace: (one: T, other: T) => number; rotation: number },
): readonly T[] {
  if (added.length < 2) return added;
  const sorted = added.toSorted(byPlace);
  const first = rotation % sorted.length;
  return first === 0 ? sorted : sorted.slice(first).concat(sorted.slice(0, first));
}

/** Compares real servers' addresses, by their text. */
export function byAddress(
  { address: one }: { readonly address: IpAddress },
  { address: other }: { readonly address: IpAddress },
): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** Compares the addresses and ports of real servers. */
export function byRealServer(
  { realServer: one }: { readonly realServer: RealServerId },
  { realServer: other }: { readonly realServer: RealServerId },
): number {
  return byAddress(one, other) || one.port - other.port;
}
