import { isNotFound } from '../../errno/errno.ts';
import type { Ipvs, IpvsWrite } from '../../ipvs/ipvs.ts';
import {
  attempt,
  type FailedOperation,
  type ServerOperation,
  toFailed,
} from '../plan/failed-operation.ts';

/** Carries out operations on virtual and real servers, and does nothing else: for a manager of drains that runs by itself. */
export function plainApply(
  ipvs: Ipvs,
): (operations: readonly ServerOperation[]) => readonly FailedOperation[] {
  return (operations) => {
    const writes = operations.map(toIpvsWrite);
    const failures = attempt(operations, () => ipvs.write(writes));
    return toFailed(
      operations,
      failures.filter(({ index, error }) => !isDone(writes[index], error)),
    );
  };
}

/** The write that carries an operation out. */
export function toIpvsWrite(operation: ServerOperation): IpvsWrite {
  const { virtualServer } = operation;
  switch (operation.kind) {
    case 'addVirtualServer':
    case 'updateVirtualServer':
    case 'deleteVirtualServer':
    case 'addRealServer':
    case 'deleteRealServer':
      return operation satisfies IpvsWrite;
    case 'weighRealServer':
    case 'drainRealServer':
    case 'replaceRealServer':
      return { kind: 'updateRealServer', virtualServer, realServer: operation.realServer };
  }
}

/** Whose the real server is that an operation is about; '' if it is about none, or unknown. */
export function podOf(operation: ServerOperation | undefined): string {
  return operation !== undefined && 'podUid' in operation ? operation.podUid : '';
}

/** What was to be deleted and is not there is as it should be, whoever did it. */
export function isDone(write: IpvsWrite | undefined, error: Error): boolean {
  const isDeletion = write?.kind === 'deleteRealServer' || write?.kind === 'deleteVirtualServer';
  return isDeletion && isNotFound(error);
}
