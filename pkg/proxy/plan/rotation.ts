import { createHash } from 'node:crypto';

/** A number that differs from node to node, by which the order of real servers is rotated. */
export function rotationOf(nodeName: string): number {
  return createHash('sha256').update(nodeName).digest().readUInt32BE();
}

/**
 * The order in which real servers are added together: that of their slices, beginning with another one on each node. `rr` uses them
 * in the order of addition, and most schedulers choose by it among equal ones. With one order everywhere the first clients of all
 * nodes would get the same real server. Existing ones keep their places.
 */
export function inRotation<T>(added: readonly T[], rotation: number): readonly T[] {
  const first = firstOf(added, rotation);
  return first === 0 ? added : added.slice(first).concat(added.slice(0, first));
}

/** The index at which that order begins. */
export function firstOf({ length }: { readonly length: number }, rotation: number): number {
  return length < 2 ? 0 : rotation % length;
}
