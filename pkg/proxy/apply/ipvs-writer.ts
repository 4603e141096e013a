import type { Ipvs, IpvsWrite } from '../../ipvs/ipvs.ts';
import type { Mirror } from '../observed/mirror.ts';
import { singles } from '../plan/add-real-servers.ts';
import { attempt, type FailedOperation, type IpvsOperation } from '../plan/failed-operation.ts';
import { isDone, podOf, toIpvsWrite, toIpvsWrites } from '../plan/ipvs-writes.ts';

interface Target {
  readonly ipvs: Pick<Ipvs, 'write' | 'virtualServer'>;
  readonly mirror: Mirror;
}

/** Writes a batch of operations to IPVS and records in the mirror what the kernel took and what is unknown. Returns those that failed. */
export function writeIpvs(
  batch: readonly IpvsOperation[],
  { ipvs, mirror }: Target,
): readonly FailedOperation[] {
  const writes = toIpvsWrites(batch);
  const refused = attempt(writes, () => ipvs.write(writes));
  if (refused.length === 0) {
    recordDone(batch, mirror);
    return none;
  }
  const parts = batch.flatMap(partsOf);
  const failures = refused.filter(
    ({ index, error }) => !isDone(writes[index], error) || !isGone(writes[index], ipvs),
  );
  const failed = new Set(failures.map(({ index }) => index));
  writes.forEach((write, index) => {
    if (failed.has(index)) mirror.recordFailedWrite(write);
    else mirror.recordWrite(write, podOf(parts[index]?.operation));
  });
  return failures.flatMap(({ index, error }) => {
    const part = parts[index];
    return part === undefined ? [] : [{ ...part, error }];
  });
}

const none: readonly never[] = Object.freeze([]);

/** Checks that a virtual server is really gone before the entries that mark it as ours are deleted. */
function isGone(write: IpvsWrite | undefined, ipvs: Target['ipvs']): boolean {
  if (write?.kind !== 'deleteVirtualServer') return true;
  try {
    return ipvs.virtualServer(write.virtualServer) === undefined;
  } catch {
    return false;
  }
}

/** Records what a batch has written. */
function recordDone(batch: readonly IpvsOperation[], mirror: Mirror): void {
  for (let at = 0; at < batch.length; at++) {
    const operation = batch[at] as IpvsOperation; // within the list
    if (operation.kind === 'addRealServers') mirror.recordAlike(operation.virtualServer, operation);
    else mirror.recordWrite(toIpvsWrite(operation), podOf(operation));
  }
}

/** The operations with one message each that one is or stands for. */
function partsOf(operation: IpvsOperation) {
  return operation.kind === 'addRealServers'
    ? singles(operation).map((single) => ({ operation: single, within: operation }))
    : [{ operation }];
}
