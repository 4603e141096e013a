import type { ObjectName } from './types.ts';

/** The map key of a namespaced object: `namespace/name`. */
export function objectKey({ namespace, name }: ObjectName): string {
  // Joined, for a text that is put together by `+` keeps its parts in memory.
  return [namespace, name].join('/');
}
