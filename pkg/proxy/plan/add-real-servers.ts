import type { IpAddress } from '../../ip/address.ts';
import { realServerAt } from '../desired/real-servers.ts';
import type { FailedOperation } from './failed-operation.ts';
import type { AddRealServers, Operation, SingleOperation } from './operation.ts';
import { inRotation } from './rotation.ts';

/** One of those that an {@link AddRealServers} stands for. */
type AddRealServer = Extract<SingleOperation, { kind: 'addRealServer' }>;

/** How many messages an operation sends. */
export function messageCount(operation: Operation): number {
  return operation.kind === 'addRealServers' ? operation.realServers.length : 1;
}

/** The operations that one stands for, in their order. */
export function singles(operation: AddRealServers): readonly AddRealServer[] {
  const { virtualServer, port, state, realServers, first } = operation;
  return inRotation(realServers, first).map(({ address, podUid }) => {
    const realServer = realServerAt({ address, port }, state);
    return { kind: 'addRealServer', virtualServer, realServer, podUid };
  });
}

/** Operations with each one that stands for several replaced by those. */
export function inSingles(operations: readonly Operation[]): readonly SingleOperation[] {
  return operations.flatMap((one): SingleOperation | readonly SingleOperation[] =>
    one.kind === 'addRealServers' ? singles(one) : one,
  );
}

/** The operations that succeeded. One that stands for several is left with those that did. */
export function succeeded(
  operations: readonly Operation[],
  failed: readonly FailedOperation[],
): readonly Operation[] {
  if (failed.length === 0) return operations;
  const failures = new Set<Operation>();
  const parts = new Map<Operation, Set<IpAddress>>();
  for (const { operation, within } of failed) {
    if (within === undefined) failures.add(operation);
    else parts.set(within, (parts.get(within) ?? new Set()).add(operation.realServer.address));
  }
  return operations.flatMap((one) => {
    if (failures.has(one)) return [];
    if (one.kind !== 'addRealServers') return one;
    const lost = parts.get(one);
    return lost === undefined ? one : without(one, lost);
  });
}

function without(operation: AddRealServers, lost: ReadonlySet<IpAddress>): AddRealServers | [] {
  const ordered = inRotation(operation.realServers, operation.first);
  const realServers = ordered.filter(({ address }) => !lost.has(address));
  return realServers.length === 0 ? [] : { ...operation, realServers, first: 0 };
}
