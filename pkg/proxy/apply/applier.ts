import { isNotFound } from '../../errno/errno.ts';
import type { EntryWrite, IpSets } from '../../ipset/ipset.ts';
import type { Ipvs, IpvsWrite } from '../../ipvs/ipvs.ts';
import type { AddressWrite, Links } from '../../links/links.ts';
import type { Logger } from '../../log/log.ts';
import type { Routes, RouteWrite } from '../../routes/routes.ts';
import type { Clock } from '../../runner/clock.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Yielder } from '../../runner/yielder.ts';
import { deviceName } from '../desired/device.ts';
import type { StaleFlows } from '../flows/stale-flows.ts';
import type { Mirror } from '../observed/mirror.ts';
import {
  type AddressOperation,
  attempt,
  type EntryOperation,
  type FailedOperation,
  type IpvsOperation,
  type OtherOperation,
  type RouteOperation,
  toFailed,
} from '../plan/failed-operation.ts';
import { isDone, podOf, toIpvsWrite } from '../plan/ipvs-writes.ts';
import { type Operation, printOperation } from '../plan/operation.ts';
import type { Reporter } from '../reporter.ts';
import { batches, interfaceOf, stageOf } from './batches.ts';
import type { Cleaner } from './cleaner.ts';
import type { Leftovers } from './leftovers.ts';
import type { RuleWriter } from './rule-writer.ts';

export interface ApplierOptions {
  readonly ipvs: Ipvs;
  readonly ipsets: IpSets;
  readonly links: Links;
  readonly routes: Routes;
  readonly mirror: Mirror;
  readonly reporter: Reporter;
  readonly log: Logger;
  readonly clock: Clock;
  /** Writes rules in the background. The mirror records when they are written. */
  readonly rules: Pick<RuleWriter, 'request' | 'withdraw'>;
  /** Takes away in the background what other modes left. */
  readonly leftovers: Pick<Leftovers, 'request'>;
  readonly cleaner: Pick<Cleaner, 'concerns' | 'close' | 'before' | 'after' | 'takeCounts'>;
  readonly stale: Pick<StaleFlows, 'deleteUntranslated' | 'reconcileUdp'>;
  /** Called with the operations that were tried, in their order. */
  readonly onApplied?: ((operations: readonly Operation[]) => void) | undefined;
}

/**
 * The only way to change virtual servers, real servers, set entries, addresses, routes and rules. Decides nothing: records in the mirror
 * what the kernel took and what is unknown, logs and counts each operation, and gives back what failed.
 */
export class Applier {
  readonly #options: ApplierOptions;
  readonly #now: () => number;

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#now = () => options.clock.now();
  }

  /**
   * Carries out a plan: neighbouring operations of a kind go to the kernel in batches. Tries every one, whatever failed before,
   * unless they are a sequence: then only entries are still tried after an operation that failed.
   */
  async apply(
    operations: readonly Operation[],
    token: MutexToken,
    { isRepair = false, isSequence = false } = {},
  ): Promise<readonly FailedOperation[]> {
    const { reporter } = this.#options;
    token.check();
    if (operations.length === 0) return none;
    let tried = 0;
    const failed: FailedOperation[] = [];
    const all = batches(operations);
    const yielder = all.length > 1 ? new Yielder(this.#now) : undefined;
    for (const batch of all) {
      // Not after the last batch: the caller must get the result before other work runs.
      if (yielder?.isDue) await yielder.yieldIfDue();
      const began = this.#now();
      const failures = await this.#applyBatch(batch);
      reporter.stageTook(stageOf(batch), this.#now() - began);
      for (const failure of failures) failed.push(failure);
      tried += batch.length;
      reporter.progressed();
      if (isSequence && failures.some(({ operation }) => interfaceOf(operation) !== 'entry')) break;
    }
    const isWhole = tried === operations.length;
    this.#account(isWhole ? operations : operations.slice(0, tried), { failed, isRepair });
    return failed;
  }

  #applyBatch(
    batch: readonly Operation[],
  ): Promise<readonly FailedOperation[]> | readonly FailedOperation[] {
    const [first] = batch;
    if (first === undefined) return [];
    // The casts hold because a batch is of one kind throughout.
    switch (interfaceOf(first)) {
      case 'ipvs':
        return this.#options.cleaner.concerns(batch)
          ? this.#writeIpvsCleanly(batch as readonly IpvsOperation[])
          : this.#writeIpvs(batch as readonly IpvsOperation[]);
      case 'entry':
        return this.#writeEntries(batch as readonly EntryOperation[]);
      case 'address':
        return this.#writeAddresses(batch as readonly AddressOperation[]);
      case 'route':
        return this.#writeRoutes(batch as readonly RouteOperation[]);
      case 'other':
        return this.#tryOther(first as OtherOperation);
    }
  }

  /** Writes a batch to IPVS with the clean-up around its deletions. Lets the event loop turn before. */
  async #writeIpvsCleanly(batch: readonly IpvsOperation[]): Promise<readonly FailedOperation[]> {
    const { cleaner } = this.#options;
    await cleaner.close(batch);
    cleaner.before(batch);
    const failures = this.#writeIpvs(batch);
    const failed = new Set(failures.map(operationOf));
    cleaner.after(batch.filter((operation) => !failed.has(operation)));
    return failures;
  }

  #writeIpvs(batch: readonly IpvsOperation[]): readonly FailedOperation[] {
    const { ipvs, mirror } = this.#options;
    const writes = batch.map(toIpvsWrite);
    const refused = attempt(batch, () => ipvs.write(writes));
    if (refused.length === 0) {
      for (let at = 0; at < writes.length; at++)
        mirror.recordWrite(writes[at] as IpvsWrite, podOf(batch[at])); // within the list
      return none;
    }
    const failures = refused.filter(
      ({ index, error }) => !isDone(writes[index], error) || !this.#isGone(writes[index]),
    );
    const failed = new Set(failures.map(({ index }) => index));
    writes.forEach((write, index) => {
      if (failed.has(index)) mirror.recordFailedWrite(write);
      else mirror.recordWrite(write, podOf(batch[index]));
    });
    return toFailed(batch, failures);
  }

  /** Checks that a virtual server is really gone before the entries that mark it as ours are deleted. */
  #isGone(write: IpvsWrite | undefined): boolean {
    if (write?.kind !== 'deleteVirtualServer') return true;
    try {
      return this.#options.ipvs.virtualServer(write.virtualServer) === undefined;
    } catch {
      return false;
    }
  }

  #writeEntries(batch: readonly EntryOperation[]): readonly FailedOperation[] {
    const { ipsets, mirror } = this.#options;
    const failures = attempt(batch, () => ipsets.write(batch satisfies readonly EntryWrite[]));
    const failed = new Set(failures.map(({ index }) => index));
    for (const [index, { kind, set, entry }] of batch.entries()) {
      if (failed.has(index)) mirror.recordFailedEntry(set, entry);
      else mirror.recordEntry(set, { entry, isPresent: kind === 'addEntry' });
    }
    return toFailed(batch, failures);
  }

  #writeAddresses(batch: readonly AddressOperation[]): readonly FailedOperation[] {
    const { links, mirror } = this.#options;
    const writes = batch.map(
      ({ kind, address }): AddressWrite => ({ kind, link: deviceName, address }),
    );
    const failures = attempt(batch, () => links.write(writes));
    const failed = new Set(failures.map(({ index }) => index));
    for (const [index, { kind, address }] of batch.entries()) {
      if (failed.has(index)) mirror.recordFailedAddress(address);
      else mirror.recordAddress(address, { isBound: kind === 'bindAddress' });
    }
    return toFailed(batch, failures);
  }

  #writeRoutes(batch: readonly RouteOperation[]): readonly FailedOperation[] {
    const { routes, mirror } = this.#options;
    const failures = attempt(batch, () => routes.write(batch satisfies readonly RouteWrite[]));
    const failed = new Set(failures.map(({ index }) => index));
    for (const [index, operation] of batch.entries()) {
      if (failed.has(index)) mirror.routes.recordFailed(operation.network);
      else if (operation.kind === 'addRoute')
        mirror.routes.record({ network: operation.network, source: operation.source });
      else mirror.routes.recordDeleted(operation.network);
    }
    return toFailed(batch, failures);
  }

  async #tryOther(operation: OtherOperation): Promise<readonly FailedOperation[]> {
    try {
      await this.#applyOther(operation);
      return [];
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      return [{ operation, error }];
    }
  }

  async #applyOther(operation: OtherOperation): Promise<void> {
    const { ipsets, links, mirror, rules, leftovers, stale } = this.#options;
    switch (operation.kind) {
      case 'makeDevice':
        links.ensureDummy(deviceName);
        mirror.recordDevice({ isPresent: true });
        return;
      case 'createSet':
        ipsets.create(operation.header);
        mirror.recordSet(operation.header.name, new Map());
        if ('maxElements' in operation.header)
          mirror.recordSetSize(operation.header.name, operation.header.maxElements);
        return;
      case 'swapSets':
        ipsets.swap(operation.set, operation.other);
        mirror.recordSwap(operation.set, operation.other);
        return;
      case 'destroySet':
        this.#destroySet(operation.set);
        return;
      case 'setRules':
        rules.request(operation.family, operation.content);
        return;
      case 'withdrawRules':
        await rules.withdraw(operation.family);
        return;
      case 'removeLeftovers':
        leftovers.request();
        return;
      case 'forgetFlows':
        stale.deleteUntranslated(operation.virtualServers);
        return;
      case 'reconcileFlows':
        stale.reconcileUdp(operation.frontEnds);
        return;
    }
  }

  /** Destroys a set. One that does not exist is no failure. */
  #destroySet(set: string): void {
    const { ipsets, mirror } = this.#options;
    try {
      ipsets.destroy(set);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    mirror.recordSet(set, undefined);
  }

  #account(
    operations: readonly Operation[],
    { failed, isRepair }: { failed: readonly FailedOperation[]; isRepair: boolean },
  ): void {
    const { log, reporter, cleaner, onApplied } = this.#options;
    onApplied?.(operations);
    const failures = failed.length === 0 ? noOperations : new Set(failed.map(operationOf));
    const counts = new Map<Operation['kind'], { done: number; failed: number }>();
    const detail = log.v(4);
    let kind: Operation['kind'] | undefined;
    let count = { done: 0, failed: 0 };
    for (const operation of operations) {
      // Most have the kind of the one before.
      if (operation.kind !== kind) {
        ({ kind } = operation);
        count = counts.get(kind) ?? { done: 0, failed: 0 };
        counts.set(kind, count);
      }
      if (failures.size > 0 && failures.has(operation)) {
        count.failed++;
        continue;
      }
      count.done++;
      // Forgetting flows is not counted as a repair: it follows from an addition, which is counted.
      if (isRepair && operation.kind !== 'forgetFlows') {
        const text = printOperation(operation);
        reporter.repaired(operation.kind, text);
        log.info('repaired a difference in the kernel', { operation: text });
      } else detail?.info('applied', { operation: printOperation(operation) });
    }
    counts.forEach((count, kind) => reporter.operations(kind, count));
    cleaner.takeCounts().forEach((count, step) => reporter.operations(step, count));
  }
}

const none: readonly never[] = Object.freeze([]);
const noOperations: ReadonlySet<Operation> = new Set();

function operationOf({ operation }: FailedOperation): Operation {
  return operation;
}
