import { type Family, familyOf } from '../ip/address.ts';
import type { Change } from '../kube/types.ts';
import { minutes, seconds, sleep } from '../runner/clock.ts';
import { Breather } from '../runner/lane.ts';
import { Runner } from '../runner/runner.ts';
import { deviceName } from './apply.ts';
import { audit, readAddresses } from './audit.ts';
import type { Entered } from './bookkeeper.ts';
import type { NodeContext } from './footprint.ts';
import type { GracefulTerminationManager } from './graceful.ts';
import { guarded } from './guarded-reporter.ts';
import { Keys } from './keys.ts';
import { buildParts, type Parts, type ProxierOptions } from './parts.ts';
import type { Trigger } from './triggers.ts';

/** How long to wait for the Node, and for its pod networks where the rules need them. */
const nodePatience = seconds(30);
const podNetworkPatience = minutes(5);

/** How long audits that failures asked for keep apart, in milliseconds. */
const auditPause = seconds(1);

/** From changes of the API to the kernel: one sync, end to end (`design.md` section 2). */
export class Proxier {
  readonly #options: ProxierOptions;
  readonly #parts: Parts;
  readonly #syncs: Runner;
  readonly #audits: Runner;
  #hasSynced = false;

  constructor(unguarded: ProxierOptions) {
    const { clock, log, minSyncPeriod, syncPeriod } = unguarded;
    const options = { ...unguarded, reporter: guarded(unguarded.reporter, log) };
    this.#options = options;
    this.#parts = buildParts(options, { onDirty: () => this.#syncs.request() });
    const { lane } = this.#parts;
    this.#syncs = new Runner({
      clock,
      log,
      minInterval: minSyncPeriod,
      run: () => lane.run(() => this.#syncOrAudit()),
    });
    this.#audits = new Runner({
      clock,
      log,
      minInterval: auditPause,
      maxInterval: syncPeriod,
      run: () => (this.#hasSynced ? this.#audit() : lane.run(() => this.#firstSync())),
    });
  }

  /** Real servers on their way out. */
  get graceful(): GracefulTerminationManager {
    return this.#parts.graceful;
  }

  /** Takes in what a source tells; {@link run} carries it out. */
  onChange(change: Change): void {
    this.#parts.intake.take(change);
  }

  /**
   * Waits for the objects, makes the kernel theirs and keeps it so until the signal aborts; the kernel's state then stays.
   * Throws if the Node has no pod networks in time and the rules need them.
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#waitForObjects(signal);
    if (signal.aborted) return;
    this.#audits.request();
    const onChange = () => void this.#parts.lane.run(() => this.#readAddresses());
    await Promise.all([
      this.#audits.run(signal),
      this.#syncs.run(signal),
      this.graceful.run(signal),
      this.#options.flows.run(signal),
      this.#options.links.watch(onChange, { except: deviceName, signal }),
    ]);
  }

  /** Ends when every change taken in so far is in the kernel. */
  async idle(): Promise<void> {
    do await this.#parts.lane.run(() => sleep(this.#options.clock, 0));
    while (this.#parts.store.isDirty);
    // A sync that took the last changes in may still be at work: what is asked for now ends after it.
    await this.#parts.lane.run(() => undefined);
  }

  async #waitForObjects(signal: AbortSignal): Promise<void> {
    const { clock, log, nodeName } = this.#options;
    const [intake, rules] = [this.#parts.intake, this.#parts.rules];
    await intake.until(() => intake.hasSynced('Service', 'EndpointSlice'), { signal });
    const [hasNode, hasRules] = [() => intake.hasSynced('Node'), () => rules.isReady];
    if (!(await intake.until(hasNode, { signal, patience: nodePatience })))
      log.error('the Node was not told in time, going on without', undefined, { node: nodeName });
    if (!(await intake.until(hasRules, { signal, patience: podNetworkPatience }))) {
      throw new Error(
        `node ${nodeName} has no spec.podCIDRs after ${podNetworkPatience / 1000} s, and detect-local-mode NodeCIDR needs them`,
      );
    }
    await sleep(clock, 0, signal);
  }

  /** Everything that the API says, against everything that the kernel holds. */
  async #firstSync(): Promise<void> {
    const { clock, log, families, reporter } = this.#options;
    const started = clock.now();
    await readAddresses(this.#parts.auditContext);
    this.#parts.store.markDirty(() => true);
    const { triggers } = await this.#enter({ isComplete: true });
    const keys = new Keys();
    const breather = new Breather(() => clock.now());
    for await (const step of audit(this.#parts.auditContext)) {
      keys.add(step);
      reporter.progressed();
      await breather.breathe();
    }
    const isSuccess = await this.#settle(keys);
    this.#report(started, { isSuccess, triggers, families });
    if (!isSuccess) return;
    this.#hasSynced = true;
    reporter.firstSyncDone();
    log.info('first sync done', {
      services: this.#parts.store.serviceCount,
      milliseconds: Math.round(clock.now() - started),
    });
  }

  /** Carries out what changed, and what is due. */
  async #sync(): Promise<void> {
    if (!this.#hasSynced) return;
    const started = this.#options.clock.now();
    const { keys, triggers } = await this.#enter();
    keys.add(await this.#parts.retries.due(this.#parts.auditContext));
    const isSuccess = await this.#settle(keys);
    const families = this.#options.families.filter((family) => keys.families.has(family));
    this.#report(started, { isSuccess, triggers, families });
  }

  /** Brings the ledger up to date, and asks for another sync if there is more to enter. */
  async #enter({ isComplete = false } = {}): Promise<Entered> {
    const entered = await this.#parts.books.enter(this.#nodeContext(), { isComplete });
    if (entered.next !== undefined)
      this.#syncs.retryAfter(Math.max(0, entered.next - this.#options.clock.now()));
    return entered;
  }

  /** A sync that was broken off loses nothing: what it had taken in is in the ledger, with which the audit compares all. */
  async #syncOrAudit(): Promise<void> {
    try {
      await this.#sync();
    } catch (error) {
      this.#audits.request();
      throw error;
    }
  }

  /** Compares the kernel with the ledger, step by step, and repairs the difference; changes are carried out in between. */
  async #audit(): Promise<void> {
    const started = this.#options.clock.now();
    const steps = audit(this.#parts.auditContext);
    const breather = new Breather(() => this.#options.clock.now());
    let isSuccess = true;
    for (let isOver = false; !isOver; ) {
      await this.#parts.lane.run(async () => {
        await this.#sync();
        const step = await steps.next();
        isOver = step.done === true;
        if (step.done !== true)
          isSuccess = (await this.#settle(step.value, { isRepair: true })) && isSuccess;
      });
      await breather.breathe();
    }
    this.#report(started, { isSuccess, triggers: [], families: this.#options.families });
  }

  async #readAddresses(): Promise<void> {
    const before = this.#parts.mirror.nodeAddresses;
    try {
      await readAddresses(this.#parts.auditContext);
    } catch (error) {
      this.#options.log.error('could not read addresses', error);
      this.#audits.request();
    }
    if (isSameSet(before, this.#parts.mirror.nodeAddresses)) return;
    this.#parts.store.markDirty(({ ports }) => ports.some(({ nodePort }) => nodePort !== 0));
    this.#syncs.request();
  }

  #nodeContext(): NodeContext {
    const { nodeName, scheduler, families } = this.#options;
    const nodePortAddresses = this.#parts.mirror.nodeAddresses.filter((address) =>
      families.includes(familyOf(address)),
    );
    return { nodeName, scheduler, zone: this.#parts.store.node?.zone ?? '', nodePortAddresses };
  }

  /** Makes the kernel right for some keys, and for retired front ends whose time has come. False if something shared failed. */
  async #settle(keys: Keys, { isRepair = false } = {}): Promise<boolean> {
    this.#parts.rules.refresh(this.#parts.mirror);
    const first = await this.#parts.settler.settle(keys, { isRepair });
    const now = this.#options.clock.now();
    for (const key of this.#parts.ledger.retired().keys())
      if (keys.servers.has(key)) this.graceful.virtualServerRetired(key);
    const { keys: released, next } = this.#parts.retirement.release(now);
    const { keys: rested, next: nextRested } = this.#parts.replacements.due();
    released.add(rested);
    const second = released.isEmpty ? first : await this.#parts.settler.settle(released);
    const gone = this.#parts.retirement.forget();
    const third = gone.isEmpty ? second : await this.#parts.settler.settle(gone);
    for (const time of [
      next,
      nextRested,
      first.retryAt,
      third.retryAt,
      this.#parts.store.nextExpiry,
    ]) {
      if (time !== undefined) this.#syncs.retryAfter(Math.max(0, time - now));
    }
    this.#options.flows.reconcileUdp(this.#parts.books.takeUdpChanges());
    const all = [first, second, third];
    if (all.some(({ isAstray }) => isAstray))
      this.#audits.retryAfter(Math.max(0, (third.retryAt ?? now) - now));
    return all.every(({ isSuccess }) => isSuccess);
  }

  #report(
    started: number,
    report: { families: readonly Family[]; isSuccess: boolean; triggers: readonly Trigger[] },
  ): void {
    const { clock, reporter, families } = this.#options;
    const triggers = report.triggers.filter(({ family }) => families.includes(family));
    reporter.synced({ ...report, triggers, milliseconds: clock.now() - started });
    reporter.state({
      failedServices: this.#parts.retries.failedServices + this.#parts.books.failedServices,
      conflicts: this.#parts.ledger.conflictCount(),
      draining: this.graceful.size,
      withoutLocalEndpoints: this.#parts.ledger.withoutLocalEndpoints(),
    });
  }
}

function isSameSet<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((value) => other.includes(value));
}
