import { isNotFound } from '../errno/errno.ts';
import type { Prefix } from '../ip/prefix.ts';
import { errorText } from '../log/error-text.ts';
import type { Logger } from '../log/log.ts';
import { rules } from '../proxy/desired/chains.ts';
import { setIds } from '../proxy/desired/sets.ts';
import { type Clock, seconds, sleep } from '../runner/clock.ts';
import { type CleanedKernel, find } from './found.ts';
import { type CleanupOperation, printCleanup } from './operation.ts';
import { planCleanup } from './plan.ts';

/** What a clean-up needs beside the kernel. */
export interface CleanupOptions {
  readonly excluded: readonly Prefix[];
  readonly log: Logger;
  readonly clock: Clock;
}

/** How often everything is read and taken away: what another program held may be free a little later. */
const rounds = 3;
const roundPause = seconds(1);

/** How many objects that stayed, and how many reasons, are named. */
const namedLimit = 20;

/** An operation that failed, and why. */
interface Failed {
  readonly operation: CleanupOperation;
  readonly reason: string;
}

/**
 * Takes away what every mode of kube-proxy leaves in this network namespace, ours or upstream's, and nothing else. True if, read
 * once more, nothing of it is there; what stayed is logged with the reason.
 */
export async function cleanUp(kernel: CleanedKernel, options: CleanupOptions): Promise<boolean> {
  const { log, clock } = options;
  let failed: readonly Failed[] = [];
  /** What a second look cannot tell: whether rules went that iptables cannot print. */
  let unseen: readonly Failed[] = [];
  for (let round = 1; ; round++) {
    const found = await find(kernel);
    const plan = planCleanup(found, options);
    const isFirst = round === 1;
    const operations = plan.operations.filter(({ kind }) => isFirst || kind !== 'removeOwnRules');
    if (operations.length === 0 || round > rounds) {
      const reasons = [...found.problems, ...plan.kept, ...unseen.map(({ reason }) => reason)];
      return report({ reasons, operations, failed, log });
    }
    if (isFirst) {
      for (const table of plan.unreadable)
        log.warn('iptables cannot print a table: only rules of IPVS mode are looked for', {
          table,
        });
    } else await sleep(clock, roundPause);
    failed = await carryOut(operations, { kernel, log });
    if (isFirst) unseen = failed.filter(({ operation }) => operation.kind === 'removeOwnRules');
  }
}

/** What is known at the end. */
interface Ending {
  readonly reasons: readonly string[];
  /** What still had to be done. */
  readonly operations: readonly CleanupOperation[];
  readonly failed: readonly Failed[];
  readonly log: Logger;
}

/** Says what stayed; true if nothing did. */
function report({ reasons, operations, failed, log }: Ending): boolean {
  for (const reason of reasons.slice(0, namedLimit))
    log.error('could not clean up', undefined, { reason });
  for (const operation of operations.slice(0, namedLimit)) {
    const what = printCleanup(operation);
    const reason = failed.find((each) => printCleanup(each.operation) === what)?.reason;
    log.error('something stayed', undefined, { what, reason });
  }
  const left = reasons.length + operations.length;
  if (left > 2 * namedLimit) log.error('more stayed than is named', undefined, { count: left });
  return left === 0;
}

/** Carries operations out in order. As long as a virtual server of ours stands, what tells that it is ours stays too. */
async function carryOut(
  operations: readonly CleanupOperation[],
  { kernel, log }: { kernel: CleanedKernel; log: Logger },
): Promise<readonly Failed[]> {
  const failed: Failed[] = [];
  const done: { [Kind in CleanupOperation['kind']]?: number } = {};
  for (const operation of operations) {
    const { kind } = operation;
    const isMark = kind === 'deleteDevice' || kind === 'destroySet';
    if (isMark && failed.some((each) => each.operation.kind === 'deleteVirtualServer')) continue;
    try {
      await carryOutOne(operation, kernel);
      done[kind] = (done[kind] ?? 0) + 1;
      log.v(2)?.info('removed', { what: printCleanup(operation) });
    } catch (error) {
      // Somebody was faster: what is there is read again.
      if (!isNotFound(error)) failed.push({ operation, reason: errorText(error) });
    }
  }
  log.info('cleaned up', done);
  return failed;
}

async function carryOutOne(operation: CleanupOperation, kernel: CleanedKernel): Promise<void> {
  switch (operation.kind) {
    case 'deleteVirtualServer': {
      const [failure] = kernel.ipvs?.write([operation]) ?? [];
      if (failure !== undefined) throw failure.error;
      return;
    }
    case 'deleteDevice':
      return kernel.links.deleteLink(operation.name);
    case 'removeRules':
      return await kernel.rules.remove(operation.place, operation.removals);
    case 'removeOwnRules':
      return await kernel.firewall.remove(operation.family, rules(operation.family, everyRule));
    case 'deleteNftTable':
      return kernel.nftTables.deleteTable(operation.table);
    case 'destroySet':
      return kernel.ipsets.destroy(operation.name);
  }
}

/** Which rules there are does not matter for taking them away: chains and jumps are the same for all. */
const everyRule = {
  nonEmpty: new Set(setIds),
  masqueradeMark: 0x4000,
  masqueradeAll: false,
  localDetector: undefined,
  randomFully: false,
};
