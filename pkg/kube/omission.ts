import type { Kind, ObjectName } from './types.ts';

/** Every API server makes its Service and its EndpointSlice itself, both under this name. */
export const apiServerName: ObjectName = { namespace: 'default', name: 'kubernetes' };

/** Up to so many objects may vanish at once, however few there are. */
const usualOmissions = 20;

/** What a complete read left out of what was known, and how much was known. */
export interface Omission {
  readonly omitted: number;
  readonly known: number;
  /** Whether {@link apiServerName} is among what was left out. */
  readonly apiServer: boolean;
}

/**
 * Whether a complete read of a kind left out so much that it may be wrong: more than half and more than 20 of what was
 * known, or the API server's own Service or EndpointSlice. The Node is one object, of which this says nothing.
 */
export function isDoubtful(kind: Kind, { omitted, known, apiServer }: Omission): boolean {
  if (kind === 'Node') return false;
  return apiServer || isMassOmission(omitted, known);
}

/** Whether so many of so many are too many to be taken away at one word. */
export function isMassOmission(omitted: number, known: number): boolean {
  return omitted > usualOmissions && omitted > known / 2;
}
