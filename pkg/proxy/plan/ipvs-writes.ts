import { isNotFound } from '../../errno/errno.ts';
import type { IpvsWrite } from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';
import { unknownPod } from '../desired/pod-identity.ts';
import { singles } from './add-real-servers.ts';
import type { IpvsOperation, SingleIpvsOperation } from './failed-operation.ts';

/** The writes of operations, in their order. */
export function toIpvsWrites(operations: readonly IpvsOperation[]): readonly IpvsWrite[] {
  const writes: IpvsWrite[] = [];
  for (let at = 0; at < operations.length; at++) {
    const operation = operations[at] as IpvsOperation; // within the list
    if (operation.kind === 'addRealServers') writes.push(...singles(operation));
    else writes.push(toIpvsWrite(operation));
  }
  return writes;
}

/** Converts an operation into the write that the IPVS interface takes. */
export function toIpvsWrite(operation: SingleIpvsOperation): IpvsWrite {
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

/** The pod of the real server that an operation is about; the unknown one if there is none. */
export function podOf(operation: SingleIpvsOperation | undefined): PodIdentity {
  return operation !== undefined && 'podUid' in operation ? operation.podUid : unknownPod;
}

/** Whether a failure only means that the object to delete did not exist. */
export function isDone(write: IpvsWrite | undefined, error: Error): boolean {
  const isDeletion = write?.kind === 'deleteRealServer' || write?.kind === 'deleteVirtualServer';
  return isDeletion && isNotFound(error);
}
