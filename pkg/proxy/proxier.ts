import type { Prefix } from '../ip/prefix.ts';
import type { Change } from '../kube/types.ts';
import { Backoff } from '../runner/backoff.ts';
import { seconds, sleep } from '../runner/clock.ts';
import type { MutexToken } from '../runner/mutex.ts';
import { Runner } from '../runner/runner.ts';
import { Yielder } from '../runner/yielder.ts';
import { reconcileFully } from './apply/reconcile-fully.ts';
import { NodeAddresses } from './changes/node-addresses.ts';
import { deviceName } from './desired/device.ts';
import { Keys } from './desired/keys.ts';
import { finishRules } from './first-rules.ts';
import { FirstSyncProgress } from './first-sync-progress.ts';
import type { GracefulTerminationManager } from './graceful/manager.ts';
import { guarded } from './guarded-reporter.ts';
import { requireRanges, waitForObjects } from './initial-objects.ts';
import { Audit } from './observed/kernel-reader.ts';
import type { ProxierOptions } from './options.ts';
import { buildParts, type Parts, stateOf } from './parts.ts';
import { planFlows } from './plan/flows.ts';
import { auditStep, readAddresses } from './reading.ts';
import type { Synced, SyncReport } from './reporter.ts';
import { type ProxierView, viewOf } from './view.ts';

/** The shortest time between two audits, in milliseconds. */
const auditPause = seconds(1);
/** During a long sync or audit, changes that arrive are carried out no more often than this, in milliseconds. */
const betweenInterval = 100;

/** Carries changes of the API objects out in the kernel, and repairs what an audit of the kernel finds (`design.md` section 2). */
export class Proxier {
  /** The manager of the real servers that drain. */
  readonly graceful: GracefulTerminationManager;
  /** What the proxier knows, for those who show it. */
  readonly view: ProxierView;
  readonly #options: ProxierOptions;
  readonly #parts: Parts;
  readonly #syncs: Runner;
  readonly #audits: Runner;
  readonly #auditBackoff = new Backoff({ first: seconds(0.2), last: seconds(30) });
  readonly #stop = new AbortController();
  readonly #nodeAddresses: NodeAddresses;
  readonly #progress: FirstSyncProgress;
  #hasSynced = false;
  #isInFirstSync = false;
  /** The kernel has been read into the mirror once. From then on changes are carried out, even while the first sync waits for its rules. */
  #hasRead = false;
  /** An audit was requested after a failure and has not started yet. */
  #isAuditDue = false;
  #lastSync = 0;

  constructor(options: ProxierOptions) {
    const { clock, log, minSyncPeriod, syncPeriod } = options;
    const reporter = guarded(options.reporter, log);
    this.#options = { ...options, reporter };
    this.#parts = buildParts(this.#options, {
      onDirty: () => this.#syncs.request(),
      wake: (milliseconds) => this.#syncs.retryAfter(milliseconds),
      onRules: (family, { isSuccess }) => {
        if (!isSuccess) reporter.rulesFailed(family);
        // A first sync waits for its rules itself.
        if (this.#hasSynced) this.#syncs.request();
        else if (!this.#isInFirstSync) this.#audits.request();
      },
    });
    this.#nodeAddresses = new NodeAddresses({ ...this.#parts, settings: options, reporter, log });
    this.view = viewOf(this.#parts, {
      hasSynced: () => this.#hasSynced,
      context: () => this.#nodeAddresses.context,
    });
    this.#progress = new FirstSyncProgress(this.#parts, options.progress);
    const { mutex, graceful } = this.#parts;
    this.graceful = graceful;
    this.#syncs = new Runner({
      clock,
      log,
      minInterval: minSyncPeriod,
      run: () => mutex.run((token) => this.#syncOrAudit(token)),
    });
    this.#audits = new Runner({
      clock,
      log,
      minInterval: auditPause,
      maxInterval: syncPeriod,
      run: () => {
        if (this.#hasSynced) return this.#audit();
        this.#isInFirstSync = true;
        return this.#firstSync().finally(() => (this.#isInFirstSync = false));
      },
    });
  }

  /** Takes other ranges of VIPs in place of those that it has. */
  useVipRanges(ranges: readonly Prefix[]): void {
    this.#parts.vipRoutes.useRanges(ranges);
    this.#syncs.request();
  }

  /** Accepts one event of a source of objects. It is carried out by {@link run}. */
  onChange(change: Change): void {
    this.#parts.intake.take(change);
  }

  /**
   * Waits for the first lists of objects, runs the first sync, then syncs and audits until the signal aborts. The kernel keeps its
   * state. Throws if the primary family is not served, if the Node has no pod networks in time and the rules need them, or if a range of
   * VIPs overlaps a network of this node.
   */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#stop.abort(), { once: true });
    const nodeAddresses = this.#nodeAddresses;
    const { mutex } = this.#parts;
    await waitForObjects({ ...this.#parts, nodeAddresses }, { ...this.#options, signal });
    if (signal.aborted) return;
    await mutex.run((token) => requireRanges(this.#parts, { ...this.#options, token }));
    this.#audits.request();
    const onChange = () => void mutex.run((token) => this.#readAddresses(token));
    await Promise.all([
      this.#audits.run(signal),
      this.#syncs.run(signal),
      this.#parts.rules.run(signal),
      this.#parts.leftovers.run(signal),
      this.graceful.run(signal),
      this.#parts.flows.run(signal),
      this.#options.links.watch(onChange, { except: deviceName, signal }),
    ]);
  }

  /** Resolves when every change accepted so far has been tried in the kernel. */
  async idle(): Promise<void> {
    const { mutex, rules, store, ledgerUpdater, reconciler } = this.#parts;
    const isBusy = () =>
      store.isDirty || ledgerUpdater.hasMore || reconciler.isWaiting || rules.isPending;
    do {
      await mutex.run(() => sleep(this.#options.clock, 0));
      await rules.attempted(this.#stop.signal);
      // A sync holds the mutex, so inside it none is half done.
    } while (await mutex.run(isBusy));
  }

  /** Compares all objects with all that the kernel holds, and repairs it. Only what needs rules waits for the rules to be written. */
  async #firstSync(): Promise<void> {
    const { clock, families, reporter } = this.#options;
    const { mutex, store, guard, changeLog, applier, leftovers } = this.#parts;
    const started = clock.now();
    reporter.firstSyncBegins(store.serviceCount);
    this.#isAuditDue = false;
    await leftovers.look();
    const { isSuccess, triggers } = await mutex.run((token) => this.#syncAll(token));
    this.#hasRead = true;
    const reconcile = (keys: Keys, token: MutexToken) => this.#reconcile(keys, token);
    const finishing = { reconcile, isSuccess, stop: this.#stop };
    const areAllDone = await this.#progress.rules(() => finishRules(this.#parts, finishing));
    if (this.#stop.signal.aborted) return;
    this.#report(started, { kind: 'first', isSuccess: areAllDone, triggers, families });
    if (!areAllDone) return;
    this.#hasSynced = true;
    await mutex.run((token) => applier.apply([{ kind: 'removeLeftovers' }], token));
    reporter.firstSyncDone();
    const milliseconds = Math.round(clock.now() - started);
    changeLog.firstSyncDone({ services: store.serviceCount, milliseconds });
    if (store.isDirty || guard.isWaiting) this.#syncs.request();
  }

  async #syncAll(token: MutexToken): Promise<Synced> {
    const progress = this.#progress;
    await readAddresses(this.#parts, token);
    this.#parts.store.markDirty(() => true);
    const { triggers } = await progress.entering(() => this.#enter(token, { isComplete: true }));
    const audit = new Audit(this.#parts.auditContext);
    const next = () => auditStep(this.#parts, { audit, token });
    const keys = await progress.reading(next, this.#options);
    await this.#parts.guard.inspect();
    const isSuccess = await progress.writing(keys, () => this.#reconcile(keys, token));
    return { isSuccess, triggers };
  }

  /** Carries out what changed, retries what is due, and plans again what waited for rules. */
  async #sync(token: MutexToken): Promise<void> {
    if (!this.#hasRead) return;
    const { retries, reconciler } = this.#parts;
    const started = this.#options.clock.now();
    const { keys, triggers, families } = await this.#enter(token);
    retries.addDue(keys);
    if (reconciler.hasWaiting) keys.add(reconciler.takeWaiting());
    const isSuccess = await this.#reconcile(keys, token);
    this.#report(started, { kind: 'changes', isSuccess, triggers, families });
  }

  /** Enters changed Services in the ledger and returns the keys they touch. Requests another sync if not all could be entered now. */
  async #enter(token: MutexToken, { isComplete = false } = {}) {
    token.check();
    this.#nodeAddresses.markServices();
    const { context } = this.#nodeAddresses;
    const entered = await this.#parts.ledgerUpdater.enter(context, { isComplete });
    const wait = (entered.next ?? Number.POSITIVE_INFINITY) - this.#options.clock.now();
    if (entered.next !== undefined) this.#syncs.retryAfter(Math.max(0, wait));
    // The guard may judge only when every change is in the ledger: one of them may want what the guard holds back.
    if (this.#hasSynced && wait > 0) entered.keys.add(this.#parts.guard.decide());
    const { families } = this.#options;
    return { ...entered, families: families.filter((family) => entered.keys.families.has(family)) };
  }

  /** Runs a sync and requests an audit if it throws. Its changes are in the ledger already, so the audit carries them out. */
  async #syncOrAudit(token: MutexToken): Promise<void> {
    try {
      await this.#sync(token);
    } catch (error) {
      this.#audits.request();
      throw error;
    }
  }

  /** Carries out changes that arrived while many keys are reconciled. Called between two parts of that work. */
  async #syncBetween(token: MutexToken): Promise<void> {
    const { store, reconciler } = this.#parts;
    const started = this.#options.clock.now();
    if (!store.isDirty || started - this.#lastSync < betweenInterval) return;
    this.#lastSync = started;
    const { keys, triggers, families } = await this.#enter(token);
    const { isSuccess, needsAudit } = await reconciler.reconcile(keys, token);
    if (needsAudit) this.#postponeAudit();
    this.#report(started, { kind: 'changes', isSuccess, triggers, families });
  }

  /** Compares the kernel with the ledger step by step and repairs each difference. Changes are carried out before each step. */
  async #audit(): Promise<void> {
    const { clock, reporter, families, settings } = this.#options;
    const { mutex, store, rules, auditContext } = this.#parts;
    const started = clock.now();
    settings.restore();
    const audit = new Audit(auditContext);
    const yielder = new Yielder(() => clock.now());
    // Outside the mutex, because the programs that read the rules may wait for the lock of iptables.
    const checking = rules.check();
    this.#isAuditDue = false;
    let isSuccess = true;
    for (let isOver = false; !isOver; ) {
      await mutex.run(async (token) => {
        if (store.isDirty || this.#nodeAddresses.haveChanged) await this.#sync(token);
        const step = await auditStep(this.#parts, { audit, token });
        isOver = step === undefined;
        // Most steps find nothing. The last one has no keys, and what all Services share is planned after it.
        if (step?.isEmpty === true) return;
        const keys = step ?? new Keys();
        isSuccess = (await this.#reconcile(keys, token, { isRepair: true })) && isSuccess;
      });
      await yielder.yieldIfDue();
    }
    for (const family of await checking) reporter.repaired('setRules', `=rules ${family}`);
    if (isSuccess && !this.#isAuditDue) this.#auditBackoff.reset();
    this.#report(started, { kind: 'audit', isSuccess, triggers: [], families });
  }

  async #readAddresses(token: MutexToken): Promise<void> {
    try {
      const keys = await readAddresses(this.#parts, token);
      if (this.#nodeAddresses.haveChanged) this.#syncs.request();
      if (this.#hasSynced && !keys.isEmpty) await this.#reconcile(keys, token, { isRepair: true });
    } catch (error) {
      this.#options.log.error('could not read addresses', error);
      this.#audits.request();
    }
  }

  /** Makes the kernel hold what is wanted for some keys, and ends retired front ends that are due. False if something shared failed. */
  async #reconcile(keys: Keys, token: MutexToken, { isRepair = false } = {}): Promise<boolean> {
    const now = this.#options.clock.now();
    this.#lastSync = now;
    this.#parts.rules.refresh();
    const options = { parts: this.#parts, now, isRepair, between: () => this.#syncBetween(token) };
    const outcome = await reconcileFully(keys, token, options);
    this.#schedule(outcome.next);
    await this.#parts.applier.apply(planFlows(this.#parts.ledgerUpdater.takeUdpChanges()), token);
    this.#parts.ledgerUpdater.reportHealth(this.#options.reporter);
    if (outcome.needsAudit) this.#postponeAudit();
    return outcome.isSuccess;
  }

  /** Requests an audit after a pause. The pause grows until an audit succeeds. */
  #postponeAudit(): void {
    if (!this.#isAuditDue) this.#audits.retryAfter(this.#auditBackoff.next());
    this.#isAuditDue = true;
  }

  /** Requests a sync for the earliest of a given time, the next retry, and the expiry of an endpoint that vanished. */
  #schedule(next: number): void {
    const { retries, store } = this.#parts;
    const time = Math.min(next, retries.nextDue ?? next, store.nextExpiry);
    this.#syncs.retryAfter(Math.max(0, time - this.#options.clock.now()));
  }

  #report(started: number, report: Omit<SyncReport, 'milliseconds'>): void {
    const { clock, reporter, families } = this.#options;
    const triggers = report.triggers.filter(({ family }) => families.includes(family));
    const isSuccess = report.isSuccess && !this.#parts.rules.isFailing;
    reporter.synced({ ...report, isSuccess, triggers, milliseconds: clock.now() - started });
    reporter.state(stateOf(this.#parts));
  }
}
