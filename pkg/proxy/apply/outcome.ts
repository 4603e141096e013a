import { isNotFound } from '../../errno/errno.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import type { FailedOperation } from '../plan/failed-operation.ts';
import type { Operation } from '../plan/operation.ts';

/** The result of reconciling some keys. */
export interface Outcome {
  /** False if an operation failed that all Services depend on. */
  readonly isSuccess: boolean;
  /** The kernel lacks something that the mirror has, so all of it must be read again. */
  readonly needsAudit: boolean;
}

/** The result without a failure. */
export const nothingFailed: Outcome = { isSuccess: true, needsAudit: false };

/** The combined result of two parts. */
export function both(one: Outcome, other: Outcome): Outcome {
  if (one === nothingFailed) return other;
  return {
    isSuccess: one.isSuccess && other.isSuccess,
    needsAudit: one.needsAudit || other.needsAudit,
  };
}

/** The result for a list of failed operations. */
export function outcomeOf(failed: readonly FailedOperation[]): Outcome {
  if (failed.length === 0) return nothingFailed;
  const isSharedFailed = failed.some(({ operation }) => isShared(operation));
  return { isSuccess: !isSharedFailed, needsAudit: isSharedFailed || missesSomething(failed) };
}

/** Whether all Services depend on an operation. */
function isShared({ kind }: Operation): boolean {
  return kind === 'makeDevice' || kind === 'createSet';
}

/** Whether failures say that something is missing which the mirror has: a scheduler whose module is missing does not count. */
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
