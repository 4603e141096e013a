import type { Kind, ObjectName } from './types.ts';

/** Up to so many objects may vanish at once, however few there are. */
const usualOmissions = 20;

/** What a complete read left out of what was known, and how much was known. */
export interface Omission {
  readonly omitted: readonly ObjectName[];
  readonly known: number;
}

/**
 * Whether a complete read of a kind left out so much that it may be wrong: more than half and more than 20 of what was
 * known, or the API server's own Service or EndpointSlice. The Node is one object, of which this says nothing.
 */
export function isDoubtful(kind: Kind, { omitted, known }: Omission): boolean {
  if (kind === 'Node') return false;
  return isMassOmission(omitted.length, known) || omitted.some(isApiServer);
}

/** Whether so many of so many are too many to be taken away at one word. */
export function isMassOmission(omitted: number, known: number): boolean {
  return omitted > usualOmissions && omitted > known / 2;
}

/** `default/kubernetes`: every API server makes its Service and its EndpointSlice itself, both under this name. */
function isApiServer({ namespace, name }: ObjectName): boolean {
  return namespace === 'default' && name === 'kubernetes';
}
