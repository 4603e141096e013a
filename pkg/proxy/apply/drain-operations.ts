import type { Operation } from '../plan/operation.ts';

/** Whether an operation has set the weight of a real server to 0 that is to be deleted. */
export function beginsDrain(
  operation: Operation,
): operation is Extract<Operation, { kind: 'drainRealServer' | 'replaceRealServer' }> {
  return operation.kind === 'drainRealServer' || operation.kind === 'replaceRealServer';
}

/** Whether an operation may concern real servers that drain already. */
export function changesDrains(operation: Operation): boolean {
  return operation.kind === 'updateVirtualServer' || isWantedAgain(operation);
}

/** Whether an operation has given a real server its weight back. */
export function isWantedAgain(
  operation: Operation,
): operation is Extract<Operation, { kind: 'weighRealServer' }> {
  return operation.kind === 'weighRealServer' && operation.realServer.weight > 0;
}

/** Whether an operation has added real servers. */
export function addsRealServers({ kind }: Operation): boolean {
  return kind === 'addRealServer' || kind === 'addRealServers';
}
