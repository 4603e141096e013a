import type { Ipvs } from '../../ipvs/ipvs.ts';
import { attempt, toFailed } from '../plan/failed-operation.ts';
import { isDone, toIpvsWrite } from '../plan/server-writes.ts';
import type { Apply } from './checker.ts';
import type { Cleaner } from './cleaner.ts';

/**
 * Carries out operations on virtual and real servers over the kernel interfaces, and does nothing else: for a manager of drains
 * that runs by itself. Without a cleaner, what deletions say has to happen around them is left undone.
 */
export function plainApply(
  ipvs: Pick<Ipvs, 'write'>,
  cleaner?: Pick<Cleaner, 'close' | 'before' | 'after'>,
): Apply {
  return async (operations, token) => {
    await cleaner?.close(operations);
    token.check();
    cleaner?.before(operations);
    const writes = operations.map(toIpvsWrite);
    const failures = attempt(operations, () => ipvs.write(writes)).filter(
      ({ index, error }) => !isDone(writes[index], error),
    );
    const failed = new Set(failures.map(({ index }) => index));
    cleaner?.after(operations.filter((_, index) => !failed.has(index)));
    return toFailed(operations, failures);
  };
}
