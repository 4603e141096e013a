import type { Operation } from '../plan/operation.ts';

/** How many operations of a kind go into one call, so that none holds the event loop for long. */
const batchSizes = { ipvs: 128, entry: 2048, address: 64 } as const;

/** Which interface of the kernel carries an operation out. */
type Interface = keyof typeof batchSizes | 'other';

/** Which interface of the kernel carries an operation out; the others have calls of their own. */
export function interfaceOf({ kind }: Operation): Interface {
  switch (kind) {
    case 'addEntry':
    case 'deleteEntry':
      return 'entry';
    case 'bindAddress':
    case 'unbindAddress':
      return 'address';
    case 'addVirtualServer':
    case 'updateVirtualServer':
    case 'deleteVirtualServer':
    case 'addRealServer':
    case 'weighRealServer':
    case 'drainRealServer':
    case 'replaceRealServer':
    case 'deleteRealServer':
      return 'ipvs';
    case 'makeDevice':
    case 'createSet':
    case 'swapSets':
    case 'destroySet':
    case 'setRules':
    case 'withdrawRules':
    case 'forgetFlows':
    case 'reconcileFlows':
      return 'other';
  }
}

/** Runs of operations of one kind, cut at the batch size; the others one by one. */
export function* batches(operations: readonly Operation[]): Generator<readonly Operation[]> {
  let batch: Operation[] = [];
  let current: Interface = 'other';
  for (const operation of operations) {
    const next = interfaceOf(operation);
    const limit = current === 'other' ? 1 : batchSizes[current];
    if (batch.length > 0 && (next !== current || batch.length >= limit)) {
      yield batch;
      batch = [];
    }
    current = next;
    batch.push(operation);
  }
  if (batch.length > 0) yield batch;
}
