import type { FrontEnd } from './footprint.ts';

/** A copy of a front end with some fields changed. Spreading would lose the fields that a class works out. */
export function changedFrontEnd<Change extends Partial<FrontEnd>>(
  frontEnd: FrontEnd,
  change: Change,
): FrontEnd & Change {
  const { owner, virtualServer, addressKind, isBound, isExposed } = frontEnd;
  const { options, policy, realServers, entries } = frontEnd;
  return {
    owner,
    virtualServer,
    addressKind,
    isBound,
    isExposed,
    options,
    policy,
    realServers,
    entries,
    ...change,
  };
}
