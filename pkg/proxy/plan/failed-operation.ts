import type { Failure } from '../../errno/errno.ts';
import type { AddRealServers, Operation, SingleOperation } from './operation.ts';

/** An operation that failed, and why. */
export type FailedOperation =
  | { readonly operation: SingleOperation; readonly within?: undefined; readonly error: Error }
  /** One of those that the operation of a plan stands for. */
  | {
      readonly operation: Extract<SingleOperation, { kind: 'addRealServer' }>;
      readonly within: AddRealServers;
      readonly error: Error;
    };

/** An operation on a virtual server or its real servers. */
export type IpvsOperation = SingleIpvsOperation | AddRealServers;
/** One with a single message. */
export type SingleIpvsOperation = Extract<SingleOperation, { virtualServer: unknown }>;
/** An operation on a set entry. */
export type EntryOperation = Extract<SingleOperation, { kind: 'addEntry' | 'deleteEntry' }>;
/** An operation on an address of the dummy device. */
export type AddressOperation = Extract<SingleOperation, { address: unknown }>;
/** An operation on a local route. */
export type RouteOperation = Extract<SingleOperation, { network: unknown }>;
/** An operation that is carried out by itself. */
export type OtherOperation = Exclude<
  Operation,
  IpvsOperation | EntryOperation | AddressOperation | RouteOperation
>;

/** The failures of a batch; a call that throws is a failure of all of it. */
export function attempt(
  batch: readonly unknown[],
  write: () => readonly Failure[],
): readonly Failure[] {
  try {
    return write();
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    return batch.map((_, index) => ({ index, error }));
  }
}

/** The operations of a batch that failed. */
export function toFailed(
  batch: readonly SingleOperation[],
  failures: readonly Failure[],
): readonly FailedOperation[] {
  return failures.flatMap(({ index, error }) => {
    const operation = batch[index];
    return operation === undefined ? [] : [{ operation, error }];
  });
}
