import { isNotFound } from '../errno/errno.ts';
import type { Prefix } from '../ip/prefix.ts';
import { errorText } from '../log/error-text.ts';
import type { Logger } from '../log/log.ts';
import { rules } from '../proxy/desired/chains.ts';
import { setIds } from '../proxy/desired/sets.ts';
import { type Clock, seconds, sleep } from '../runner/clock.ts';
import type { ProgressBoard, ProgressStage } from '../runner/progress.ts';
import { Yielder } from '../runner/yielder.ts';
import { type CleanedKernel, find } from './found.ts';
import { type CleanupOperation, printCleanup } from './operation.ts';
import { planCleanup } from './plan.ts';

/** Options of a clean-up. */
export interface CleanupOptions {
  readonly excluded: readonly Prefix[];
  readonly log: Logger;
  readonly clock: Clock;
  /** Where it shows how far it has come. */
  readonly progress: ProgressBoard;
}

/** How many times everything is read and deleted, as another program may have held something. */
const rounds = 3;
const roundPause = seconds(1);

/** How many remaining objects, and how many reasons, are logged. */
const namedLimit = 20;

/** A failed operation and the reason. */
interface Failed {
  readonly operation: CleanupOperation;
  readonly reason: string;
}

/**
 * Deletes everything that any mode of kube-proxy leaves in this network namespace, and nothing else. True if a last read finds
 * nothing of it. What is left is logged with the reason.
 */
export async function cleanUp(kernel: CleanedKernel, options: CleanupOptions): Promise<boolean> {
  const { log, clock, progress } = options;
  let failed: readonly Failed[] = [];
  /** Failures that a second read cannot verify: rules in tables that iptables cannot print. */
  let unseen: readonly Failed[] = [];
  for (let round = 1; ; round++) {
    const found = await progress.during({ stage: 'looking for what kube-proxy left' }, () =>
      find(kernel),
    );
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
    const work = { stage: 'removing what kube-proxy left', total: operations.length };
    failed = await progress.during(work, (stage) =>
      carryOut(operations, { kernel, log, clock, stage }),
    );
    if (isFirst) unseen = failed.filter(({ operation }) => operation.kind === 'removeOwnRules');
  }
}

/** The state at the end. */
interface Ending {
  readonly reasons: readonly string[];
  /** The operations that are still needed. */
  readonly operations: readonly CleanupOperation[];
  readonly failed: readonly Failed[];
  readonly log: Logger;
}

/** Logs what is left. True if nothing is. */
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

/** What operations are carried out with, and where they are counted. */
interface CarryingOut extends Pick<CleanupOptions, 'log' | 'clock'> {
  readonly kernel: CleanedKernel;
  readonly stage: ProgressStage;
}

/** Carries out operations in order. While one of our virtual servers exists, what marks it as ours stays. */
async function carryOut(
  operations: readonly CleanupOperation[],
  { kernel, log, clock, stage }: CarryingOut,
): Promise<readonly Failed[]> {
  const failed: Failed[] = [];
  const done: { [Kind in CleanupOperation['kind']]?: number } = {};
  const yielder = new Yielder(() => clock.now());
  for (const operation of operations) {
    await yielder.yieldIfDue();
    stage.add();
    const { kind } = operation;
    const isMark = kind === 'deleteDevice' || kind === 'deleteRoute' || kind === 'destroySet';
    if (isMark && failed.some((each) => each.operation.kind === 'deleteVirtualServer')) continue;
    try {
      await carryOutOne(operation, kernel);
      done[kind] = (done[kind] ?? 0) + 1;
      log.v(2)?.info('removed', { what: printCleanup(operation) });
    } catch (error) {
      // Another program was faster; the next read shows what is there.
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
    case 'deleteRoute': {
      const [failure] = kernel.routes.write([operation]);
      if (failure !== undefined) throw failure.error;
      return;
    }
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

/** The content does not matter for a removal: all rulesets have the same chains and jumps. */
const everyRule = {
  nonEmpty: new Set(setIds),
  masqueradeMark: 0x4000,
  masqueradeAll: false,
  localDetector: undefined,
  randomFully: false,
};
