import type { Firewall } from '../firewall/firewall.ts';
import { type Family, familyOf } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { IpSets } from '../ipset/ipset.ts';
import { type Ipvs, virtualServerKey } from '../ipvs/ipvs.ts';
import type { Change } from '../kube/types.ts';
import type { Links } from '../links/links.ts';
import type { Logger } from '../log/log.ts';
import { type Clock, minutes, seconds, sleep } from '../runner/clock.ts';
import { Lane } from '../runner/lane.ts';
import { Runner } from '../runner/runner.ts';
import { type ApplyContext, deviceName } from './apply.ts';
import { type AuditContext, audit, readAddresses } from './audit.ts';
import { Bookkeeper } from './bookkeeper.ts';
import type { DrainMode } from './drain.ts';
import type { DrainRequest } from './drain-list.ts';
import type { FlowForgetter } from './flows.ts';
import type { NodeContext } from './footprint.ts';
import { type DrainSurroundings, type Farewell, GracefulTerminationManager } from './graceful.ts';
import { Intake } from './intake.ts';
import { Keys } from './keys.ts';
import { Ledger } from './ledger.ts';
import { Mirror } from './mirror.ts';
import { Pods } from './pods.ts';
import { Replacements } from './replacements.ts';
import type { Reporter } from './reporter.ts';
import { Retirement } from './retirement.ts';
import { Retries } from './retries.ts';
import { type RuleSettings, RuleSource } from './rule-source.ts';
import { ServerWriter } from './server-writer.ts';
import { Settler } from './settler.ts';
import { Store } from './store.ts';

/** What the proxier is made of and told. */
export interface ProxierOptions {
  readonly ipvs: Ipvs;
  readonly ipsets: IpSets;
  readonly links: Links;
  readonly firewall: Firewall;
  readonly flows: FlowForgetter;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  readonly families: readonly Family[];
  readonly scheduler: string;
  /** Networks whose virtual servers are left alone unless a Service wants them. */
  readonly excluded: readonly Prefix[];
  readonly ruleSettings: RuleSettings;
  /** How real servers end that are no longer wanted; the timeout in milliseconds, 0 for none. */
  readonly drains: { readonly mode: DrainMode; readonly timeout: number };
  /** What tells clients that only wait; `undefined` leaves them to find out by themselves. */
  readonly farewell: Farewell | undefined;
  /** Milliseconds between two audits. */
  readonly syncPeriod: number;
  /** Milliseconds in which changes are gathered after a sync; 0 for none. */
  readonly minSyncPeriod: number;
}

/** How long to wait for the Node, and for its pod networks where the rules need them. */
const nodePatience = seconds(30);
const podNetworkPatience = minutes(5);

/** How long audits that failures asked for keep apart, in milliseconds. */
const auditPause = seconds(1);

/** From changes of the API to the kernel: one sync, end to end (`design.md` section 2). */
export class Proxier {
  readonly #options: ProxierOptions;
  readonly #lane = new Lane();
  readonly #ledger = new Ledger();
  readonly #mirror = new Mirror();
  readonly #pods: Pods;
  readonly #store: Store;
  readonly #intake: Intake;
  readonly #books: Bookkeeper;
  readonly #rules: RuleSource;
  readonly #retirement: Retirement;
  readonly #retries: Retries;
  readonly #replacements: Replacements;
  readonly #settler: Settler;
  readonly #auditContext: AuditContext;
  readonly #syncs: Runner;
  readonly #audits: Runner;
  #hasSynced = false;
  /** Real servers on their way out. */
  readonly graceful: GracefulTerminationManager;

  constructor(options: ProxierOptions) {
    const { clock, log, reporter, firewall, families, ipvs, ipsets, links, flows } = options;
    const [mirror, ledger, lane] = [this.#mirror, this.#ledger, this.#lane];
    const now = () => clock.now();
    const onDirty = () => this.#syncs.request();
    this.#options = options;
    this.#pods = new Pods(now, (address) => this.graceful.podChanged(address));
    this.#store = new Store(now, this.#pods);
    this.#syncs = new Runner({
      clock,
      log,
      minInterval: options.minSyncPeriod,
      run: () => lane.run(() => this.#sync()),
    });
    this.#audits = new Runner({
      clock,
      log,
      minInterval: auditPause,
      maxInterval: options.syncPeriod,
      run: () => (this.#hasSynced ? this.#audit() : lane.run(() => this.#firstSync())),
    });
    this.#intake = new Intake({ store: this.#store, clock, log, reporter, onDirty });
    this.#books = new Bookkeeper({ store: this.#store, ledger, clock, log, reporter });
    this.#retries = new Retries({ clock, log, ledger });
    this.#retirement = new Retirement({ ledger, mirror });
    const node = () => this.#store.node;
    this.#rules = new RuleSource({ settings: options.ruleSettings, firewall, node });
    const writer = new ServerWriter({ ipvs, mirror });
    const graceful = new GracefulTerminationManager({
      ...{ ipvs, writer, lane, clock, log, farewell: options.farewell },
      mode: options.drains.mode,
      isWanted: (server, realServer) => ledger.wantsRealServer(server, realServer),
      surroundings: (request) => this.#surroundings(request),
      onEnd: (drain) => {
        reporter.drainEnded(drain, ledger.claim(virtualServerKey(drain.server))?.owner?.key);
        onDirty();
      },
    });
    this.graceful = graceful;
    const rules = this.#rules.ruleset.bind(this.#rules);
    const kernel = { ipvs, ipsets, links, firewall, mirror, rules, now };
    const applyContext: ApplyContext = {
      ...kernel,
      servers: writer,
      drain: graceful.begin.bind(graceful),
      forgetFlows: flows.forgetUntranslated.bind(flows),
      onProgress: () => reporter.progressed(),
    };
    const common = { ledger, families, mirror };
    const onRevived = () => reporter.revived();
    this.#replacements = new Replacements({ ipvs, writer, now, log, onRevived });
    this.#settler = new Settler({
      ...common,
      graceful,
      retries: this.#retries,
      replacements: this.#replacements,
      applyContext,
      reporter,
      log,
    });
    this.#auditContext = { ...kernel, ...common, excluded: options.excluded };
  }

  /** Takes in what a source tells; {@link run} carries it out. */
  onChange(change: Change): void {
    this.#intake.take(change);
  }

  /**
   * Waits for the objects, makes the kernel theirs and keeps it so until the signal aborts; the kernel's state then stays.
   * Throws if the Node has no pod networks in time and the rules need them.
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#waitForObjects(signal);
    if (signal.aborted) return;
    this.#audits.request();
    const onChange = () => void this.#lane.run(() => this.#readAddresses());
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
    do await this.#lane.run(() => sleep(this.#options.clock, 0));
    while (this.#store.isDirty);
  }

  async #waitForObjects(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    await this.#intake.until(() => this.#intake.hasSynced('Service', 'EndpointSlice'), { signal });
    if (
      !(await this.#intake.until(() => this.#intake.hasSynced('Node'), {
        signal,
        patience: nodePatience,
      }))
    ) {
      log.error('the Node was not told in time, going on without', undefined, {
        node: this.#options.nodeName,
      });
    }
    if (
      !(await this.#intake.until(() => this.#rules.isReady, {
        signal,
        patience: podNetworkPatience,
      }))
    ) {
      throw new Error(
        `node ${this.#options.nodeName} has no spec.podCIDRs after ${podNetworkPatience / 1000} s, and detect-local-mode NodeCIDR needs them`,
      );
    }
    await sleep(clock, 0, signal);
  }

  /** Everything that the API says, against everything that the kernel holds. */
  async #firstSync(): Promise<void> {
    const { clock, log, families, reporter } = this.#options;
    const started = clock.now();
    await readAddresses(this.#auditContext);
    this.#store.markDirty(() => true);
    const { triggerTimes } = await this.#books.enter(this.#nodeContext());
    const keys = new Keys();
    for await (const step of audit(this.#auditContext)) {
      keys.add(step);
      reporter.progressed();
    }
    keys.add(this.#ledger.everything());
    const isSuccess = await this.#settle(keys);
    this.#report(started, { isSuccess, triggerTimes, families });
    if (!isSuccess) return;
    this.#hasSynced = true;
    reporter.firstSyncDone();
    log.info('first sync done', {
      services: this.#store.serviceCount,
      milliseconds: Math.round(clock.now() - started),
    });
  }

  /** Carries out what changed, and what is due. */
  async #sync(): Promise<void> {
    if (!this.#hasSynced) return;
    const started = this.#options.clock.now();
    const { keys, triggerTimes } = await this.#books.enter(this.#nodeContext());
    keys.add(await this.#retries.due(this.#auditContext));
    const isSuccess = await this.#settle(keys);
    const families = this.#options.families.filter((family) => keys.families.has(family));
    this.#report(started, { isSuccess, triggerTimes, families });
  }

  /** Compares the kernel with the ledger, step by step, and repairs the difference; changes are carried out in between. */
  async #audit(): Promise<void> {
    const started = this.#options.clock.now();
    const steps = audit(this.#auditContext);
    let isSuccess = true;
    for (let isOver = false; !isOver; ) {
      await this.#lane.run(async () => {
        await this.#sync();
        const step = await steps.next();
        isOver = step.done === true;
        if (step.done !== true)
          isSuccess = (await this.#settle(step.value, { isRepair: true })) && isSuccess;
      });
    }
    this.#report(started, { isSuccess, triggerTimes: [], families: this.#options.families });
  }

  async #readAddresses(): Promise<void> {
    const before = this.#mirror.nodeAddresses;
    try {
      await readAddresses(this.#auditContext);
    } catch (error) {
      this.#options.log.error('could not read addresses', error);
      this.#audits.request();
    }
    if (isSameSet(before, this.#mirror.nodeAddresses)) return;
    this.#store.markDirty(({ ports }) => ports.some(({ nodePort }) => nodePort !== 0));
    this.#syncs.request();
  }

  /** What the rules of a drain depend on, as things are now. */
  #surroundings({ server, backend, podUid }: DrainRequest): DrainSurroundings {
    const { drains, scheduler } = this.#options;
    const claim = this.#ledger.claim(virtualServerKey(server));
    const { isBound = false, isExposed = true, drainTimeout } = claim?.frontEnd ?? {};
    return {
      cause: claim?.owner === undefined ? 'virtualServer' : 'endpoint',
      pod: podUid === undefined ? 'left' : this.#pods.state(backend.address, podUid),
      timeout: drainTimeout ?? drains.timeout,
      isExposed,
      isAddressGone: !isBound && !this.#mirror.nodeAddresses.includes(server.address),
      scheduler,
    };
  }

  #nodeContext(): NodeContext {
    const { nodeName, scheduler, families } = this.#options;
    const nodePortAddresses = this.#mirror.nodeAddresses.filter((address) =>
      families.includes(familyOf(address)),
    );
    return { nodeName, scheduler, zone: this.#store.node?.zone ?? '', nodePortAddresses };
  }

  /** Makes the kernel right for some keys, and for retired front ends whose time has come. False if something shared failed. */
  async #settle(keys: Keys, { isRepair = false } = {}): Promise<boolean> {
    this.#rules.refresh(this.#mirror);
    const first = await this.#settler.settle(keys, { isRepair });
    const now = this.#options.clock.now();
    for (const key of this.#ledger.retired().keys())
      if (keys.servers.has(key)) this.graceful.virtualServerRetired(key);
    const { keys: released, next } = this.#retirement.release(now);
    const { keys: rested, next: nextRested } = this.#replacements.due();
    released.add(rested);
    const second = released.isEmpty ? first : await this.#settler.settle(released);
    for (const time of [next, nextRested, first.retryAt, second.retryAt, this.#store.nextExpiry]) {
      if (time !== undefined) this.#syncs.retryAfter(Math.max(0, time - now));
    }
    this.#options.flows.reconcileUdp(this.#books.takeUdpChanges());
    if (first.isAstray || second.isAstray) this.#audits.request();
    return first.isSuccess && second.isSuccess;
  }

  #report(
    started: number,
    report: { families: readonly Family[]; isSuccess: boolean; triggerTimes: readonly number[] },
  ): void {
    const { clock, reporter } = this.#options;
    reporter.synced({ ...report, milliseconds: clock.now() - started });
    reporter.state({
      failedServices: this.#retries.failedServices,
      conflicts: this.#ledger.conflictCount(),
      draining: this.graceful.size,
      withoutLocalEndpoints: {
        internal: this.#ledger.withoutLocalEndpoints('internal'),
        external: this.#ledger.withoutLocalEndpoints('external'),
      },
    });
  }
}

function isSameSet<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((value) => other.includes(value));
}
