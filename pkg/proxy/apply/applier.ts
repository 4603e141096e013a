import { isNotFound } from '../../errno/errno.ts';
import type { EntryWrite, IpSets } from '../../ipset/ipset.ts';
import type { Ipvs } from '../../ipvs/ipvs.ts';
import type { AddressWrite, Links } from '../../links/links.ts';
import type { Logger } from '../../log/log.ts';
import type { Routes, RouteWrite } from '../../routes/routes.ts';
import type { Clock } from '../../runner/clock.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Yielder } from '../../runner/yielder.ts';
import { deviceName } from '../desired/device.ts';
import type { StaleFlows } from '../flows/stale-flows.ts';
import type { Mirror } from '../observed/mirror.ts';
import { inSingles, succeeded } from '../plan/add-real-servers.ts';
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
import { type Operation, printOperation, type SingleOperation } from '../plan/operation.ts';
import type { Reporter } from '../reporter.ts';
import { batches, interfaceOf, stageOf } from './batches.ts';
import type { Cleaner } from './cleaner.ts';
import { writeIpvs } from './ipvs-writer.ts';
import type { Leftovers } from './leftovers.ts';
import { countKinds } from './operation-counts.ts';
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
  readonly onApplied?: ((operations: readonly SingleOperation[]) => void) | undefined;
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
    const first = batch[0];
    if (first === undefined) return [];
    // The casts hold because a batch is of one kind throughout.
    switch (interfaceOf(first)) {
      case 'ipvs':
        return this.#options.cleaner.concerns(batch)
          ? this.#writeIpvsCleanly(batch as readonly IpvsOperation[])
          : writeIpvs(batch as readonly IpvsOperation[], this.#options);
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
    const failed = writeIpvs(batch, this.#options);
    cleaner.after(succeeded(batch, failed));
    return failed;
  }

  #writeEntries(batch: readonly EntryOperation[]): readonly FailedOperation[] {
    const { ipsets, mirror } = this.#options;
    const failures = attempt(batch, () => ipsets.write(batch satisfies readonly EntryWrite[]));
    const failed = new Set(failures.map(({ index }) => index));
    batch.forEach(({ kind, set, entry }, index) => {
      if (failed.has(index)) mirror.recordFailedEntry(set, entry);
      else mirror.recordEntry(set, { entry, isPresent: kind === 'addEntry' });
    });
    return toFailed(batch, failures);
  }

  #writeAddresses(batch: readonly AddressOperation[]): readonly FailedOperation[] {
    const { links, mirror } = this.#options;
    const writes = batch.map(
      ({ kind, address }): AddressWrite => ({ kind, link: deviceName, address }),
    );
    const failures = attempt(batch, () => links.write(writes));
    const failed = new Set(failures.map(({ index }) => index));
    batch.forEach(({ kind, address }, index) => {
      if (failed.has(index)) mirror.recordFailedAddress(address);
      else mirror.recordAddress(address, { isBound: kind === 'bindAddress' });
    });
    return toFailed(batch, failures);
  }

  #writeRoutes(batch: readonly RouteOperation[]): readonly FailedOperation[] {
    const { routes, mirror } = this.#options;
    const failures = attempt(batch, () => routes.write(batch satisfies readonly RouteWrite[]));
    const failed = new Set(failures.map(({ index }) => index));
    batch.forEach((operation, index) => {
      if (failed.has(index)) mirror.routes.recordFailed(operation.network);
      else if (operation.kind === 'addRoute')
        mirror.routes.record({ network: operation.network, source: operation.source });
      else mirror.routes.recordDeleted(operation.network);
    });
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
    onApplied?.(inSingles(operations));
    const done = succeeded(operations, failed);
    countKinds(done, failed).forEach((count, kind) => reporter.operations(kind, count));
    const detail = log.v(4);
    if (isRepair || detail !== undefined)
      for (const operation of inSingles(done)) {
        const text = printOperation(operation);
        // Forgetting flows is not counted as a repair: it follows from an addition, which is counted.
        if (isRepair && operation.kind !== 'forgetFlows') {
          reporter.repaired(operation.kind, text);
          log.info('repaired a difference in the kernel', { operation: text });
        } else detail?.info('applied', { operation: text });
      }
    cleaner.takeCounts().forEach((count, step) => reporter.operations(step, count));
  }
}

const none: readonly never[] = Object.freeze([]);
