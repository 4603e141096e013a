import { isNotFound } from '../../errno/errno.ts';
import type { IpvsWrite } from '../../ipvs/ipvs.ts';
import type { ServerOperation } from './failed-operation.ts';

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
