import { printOperation, type SingleOperation } from '../proxy/plan/operation.ts';
import type { PlannedOperation } from './preview.ts';

/** The operations for one Service, or for what all Services share. */
export interface ServiceSummary {
  /** `namespace/name`; '' for what all Services share, and what no Service wants. */
  readonly service: string;
  /** How many operations of each kind there are. */
  readonly counts: ReadonlyMap<SingleOperation['kind'], number>;
  /** Each in a line. */
  readonly operations: readonly string[];
}

/** Sums up operations by Service, in the order of their names. */
export function summarize(operations: readonly PlannedOperation[]): readonly ServiceSummary[] {
  const groups = Map.groupBy(operations, ({ service }) => service);
  return [...groups]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([service, own]) => ({
      service,
      counts: countKinds(own),
      operations: own.map(({ operation }) => printOperation(operation)),
    }));
}

/** How many operations of each kind there are. */
export function countKinds(
  operations: readonly PlannedOperation[],
): ReadonlyMap<SingleOperation['kind'], number> {
  const counts = new Map<SingleOperation['kind'], number>();
  for (const { operation } of operations)
    counts.set(operation.kind, (counts.get(operation.kind) ?? 0) + 1);
  return counts;
}
