import type { Ipvs } from '../../ipvs/ipvs.ts';
import { attempt, toFailed } from '../plan/failed-operation.ts';
import { isDone, toIpvsWrite } from '../plan/ipvs-writes.ts';
import type { Apply } from './checker.ts';

/**
 * Carries out operations on virtual and real servers over IPVS alone, for a manager that is used without a proxier. Does not do the
 * clean-up that deletions carry.
 */
export function plainApply(ipvs: Pick<Ipvs, 'write'>): Apply {
  return async (operations, token) => {
    token.check();
    const writes = operations.map(toIpvsWrite);
    const failures = attempt(operations, () => ipvs.write(writes)).filter(
      ({ index, error }) => !isDone(writes[index], error),
    );
    return toFailed(operations, failures);
  };
}
