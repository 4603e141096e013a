import type { Kind, ObjectName } from './types.ts';

/** The name of the Service and the EndpointSlice that every API server creates for itself. */
export const apiServerName: ObjectName = { namespace: 'default', name: 'kubernetes' };

/** Up to so many objects may vanish at once without doubt. */
const usualOmissions = 20;

/** How many of the known objects a complete read left out. */
export interface Omission {
  readonly omitted: number;
  readonly known: number;
  /** Whether {@link apiServerName} was left out. */
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

/** Whether so many of the known objects vanished that a second read must confirm it. */
export function isMassOmission(omitted: number, known: number): boolean {
  return omitted > usualOmissions && omitted > known / 2;
}
