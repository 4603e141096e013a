import { isNotFound } from '../../errno/errno.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import type { FailedOperation } from '../plan/failed-operation.ts';
import type { Operation } from '../plan/operation.ts';

/** What came of reconciling some keys. */
export interface Outcome {
  /** Nothing failed that all Services share. */
  readonly isSuccess: boolean;
  /** Something is not in the kernel that should be: the mirror is wrong, read it all again. */
  readonly needsAudit: boolean;
}

/** Of keys about which everything went well. */
export const nothingFailed: Outcome = { isSuccess: true, needsAudit: false };

/** What came of two parts together. */
export function both(one: Outcome, other: Outcome): Outcome {
  if (one === nothingFailed) return other;
  return {
    isSuccess: one.isSuccess && other.isSuccess,
    needsAudit: one.needsAudit || other.needsAudit,
  };
}

/** What failures mean for all of it. */
export function outcomeOf(failed: readonly FailedOperation[]): Outcome {
  if (failed.length === 0) return nothingFailed;
  const isSharedFailed = failed.some(({ operation }) => isShared(operation));
  return { isSuccess: !isSharedFailed, needsAudit: isSharedFailed || missesSomething(failed) };
}

/** Whether every Service depends on it. */
function isShared({ kind }: Operation): boolean {
  return kind === 'makeDevice' || kind === 'createSet';
}

/** Whether failures say that something is missing which the mirror has: a scheduler without a module is none of it. */
function missesSomething(failed: readonly FailedOperation[]): boolean {
  const notAdded = new Set<string>();
  for (const { operation } of failed)
    if (operation.kind === 'addVirtualServer')
      notAdded.add(virtualServerKey(operation.virtualServer));
  return failed.some(
    ({ operation, error }) =>
      isNotFound(error) &&
      !('virtualServer' in operation && notAdded.has(virtualServerKey(operation.virtualServer))),
  );
}
