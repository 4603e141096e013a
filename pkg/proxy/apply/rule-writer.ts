import { type Firewall, isLockHeld } from '../../firewall/firewall.ts';
import type { Family } from '../../ip/address.ts';
import type { Logger } from '../../log/log.ts';
import { Backoff } from '../../runner/backoff.ts';
import { type Clock, minutes, seconds } from '../../runner/clock.ts';
import { Runner } from '../../runner/runner.ts';
import { noRuleContent, type RuleContent } from '../desired/rule-content.ts';
import { setIds } from '../desired/sets.ts';
import { comingContent, type Mirror, type RuleStatus } from '../observed/mirror.ts';
import type { Reporter } from '../reporter.ts';
import type { RuleSource } from './rule-source.ts';

export interface RuleWriterOptions {
  readonly firewall: Firewall;
  readonly source: RuleSource;
  readonly mirror: Mirror;
  readonly families: readonly Family[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly reporter: Pick<Reporter, 'stageTook'>;
  /** Called at the end of each attempt: keys that waited for it can be planned again. */
  readonly onAttempt: (family: Family, outcome: { isSuccess: boolean }) => void;
}

/** How long another program may hold the lock before that counts as a failure, in milliseconds. */
const lockPatience = minutes(1);
/** How soon the lock is tried again, in milliseconds. */
const lockPause = seconds(0.5);

/**
 * Writes the rules in the background: iptables programs do it, and may wait long for the lock of iptables. Each family has one write
 * at a time. Of the requests that come meanwhile the last one counts. A failed write is repeated with growing pauses.
 */
export class RuleWriter {
  readonly #options: RuleWriterOptions;
  readonly #writers = new Map<Family, FamilyWriter>();

  constructor(options: RuleWriterOptions) {
    this.#options = options;
    for (const family of options.families)
      this.#writers.set(family, new FamilyWriter(family, options));
  }

  /** Whether the rules can be made: with NodeCIDR not before the Node has pod networks. */
  get isReady(): boolean {
    return this.#options.source.isReady;
  }

  /** Whether the rules of a family tell local traffic by the configured detector. */
  hasDetector(family: Family): boolean {
    return this.#options.source.hasDetector(family);
  }

  /** Whether the last attempt of any family failed. */
  get isFailing(): boolean {
    return [...this.#options.mirror.rules.values()].some(({ isFailing }) => isFailing);
  }

  /** Whether a request of some family was not tried yet. */
  get isPending(): boolean {
    return [...this.#options.mirror.rules.values()].some(
      ({ requested, isFailing }) => requested !== undefined && !isFailing,
    );
  }

  /** Requests that a family's rules be written for some content. */
  request(family: Family, content: RuleContent): void {
    this.#writers.get(family)?.request(content);
  }

  /** Removes all our rules of a family. They are written again at the next request. Throws what the firewall throws. */
  async withdraw(family: Family): Promise<void> {
    await this.#writers.get(family)?.withdraw();
  }

  /** Writes the rules again if what they depend on besides the sets has changed. */
  refresh(): void {
    if (!this.#options.source.takeChange()) return;
    for (const writer of this.#writers.values()) writer.rewrite();
  }

  /** Compares the rules with what was written and requests a new write where they differ. Returns the families that differ. */
  async check(): Promise<ReadonlySet<Family>> {
    const different = new Set<Family>();
    for (const [family, writer] of this.#writers)
      if (!(await writer.check())) different.add(family);
    return different;
  }

  /** Resolves when every request was tried, or the signal aborts. */
  async attempted(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.attempted(signal)));
  }

  /** Carries requests out until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.run(signal)));
  }
}

/** The rules of one family. */
class FamilyWriter {
  readonly #family: Family;
  readonly #options: RuleWriterOptions;
  readonly #runner: Runner;
  readonly #backoff = new Backoff({ first: 200, last: seconds(30) });
  #lockHeldSince: number | undefined;
  #wakeWaiting: () => void = () => undefined;
  #attempt: Promise<void> = new Promise(() => undefined);

  constructor(family: Family, options: RuleWriterOptions) {
    const { clock, log } = options;
    this.#family = family;
    this.#options = options;
    this.#runner = new Runner({ clock, log, minInterval: 0, run: () => this.#write() });
    this.#renewAttempt();
  }

  request(content: RuleContent): void {
    this.#update({ requested: content });
    // After a failure, the back-off decides when to write.
    if (!this.#status.isFailing) this.#runner.request();
  }

  rewrite(): void {
    const wanted = comingContent(this.#status);
    this.#update({ written: undefined });
    if (wanted !== undefined) this.request(wanted);
  }

  async withdraw(): Promise<void> {
    const { firewall, source, mirror } = this.#options;
    this.#update({ written: undefined });
    const leavesNat = mirror.servedByIptables.has(this.#family);
    const all = { ...noRuleContent, nonEmpty: new Set(setIds), leavesNat };
    await firewall.remove(this.#family, await source.ruleset(this.#family, all));
  }

  async check(): Promise<boolean> {
    const { written, requested } = this.#status;
    if (written === undefined || requested !== undefined) return true;
    const isSame = await this.#isSame(written);
    if (isSame || this.#status.requested !== undefined) return true;
    this.rewrite();
    return false;
  }

  /**
   * Whether the kernel has the rules as they were written. False if they cannot be read; they are written again then, and that
   * reports the error.
   */
  async #isSame(written: RuleContent): Promise<boolean> {
    const { firewall, source } = this.#options;
    try {
      const ruleset = await source.ruleset(this.#family, written);
      return (await firewall.check(this.#family, ruleset)) === 'same';
    } catch {
      return false;
    }
  }

  async attempted(signal: AbortSignal): Promise<void> {
    const { promise: aborted, resolve: abort } = Promise.withResolvers<void>();
    const onAbort = () => abort();
    signal.addEventListener('abort', onAbort, { once: true });
    while (!signal.aborted && this.#status.requested !== undefined && !this.#status.isFailing)
      await Promise.race([this.#attempt, aborted]);
    signal.removeEventListener('abort', onAbort);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#runner.run(signal);
  }

  get #status(): RuleStatus {
    return this.#options.mirror.rules.get(this.#family) ?? untouched;
  }

  #update(change: Partial<RuleStatus>): void {
    this.#options.mirror.recordRules(this.#family, { ...this.#status, ...change });
  }

  async #write(): Promise<void> {
    const { firewall, source, clock, reporter } = this.#options;
    const { requested } = this.#status;
    if (requested === undefined) return;
    const began = clock.now();
    this.#update({ writing: requested });
    try {
      await firewall.apply(this.#family, await source.ruleset(this.#family, requested));
      this.#update({ writing: undefined });
      this.#succeed(requested);
    } catch (cause) {
      this.#update({ writing: undefined });
      this.#fail(cause instanceof Error ? cause : new Error(String(cause)));
    }
    reporter.stageTook('apply_rules', clock.now() - began);
    this.#wakeWaiting();
    this.#renewAttempt();
  }

  #succeed(written: RuleContent): void {
    this.#lockHeldSince = undefined;
    this.#backoff.reset();
    const isLast = this.#status.requested === written;
    this.#update({ written, isFailing: false, ...(isLast && { requested: undefined }) });
    if (!isLast) this.#runner.request();
    this.#options.onAttempt(this.#family, { isSuccess: true });
  }

  /** Schedules another attempt. It does not count as a failure while another program holds the lock, for a minute at most. */
  #fail(error: Error): void {
    const { clock, log, onAttempt } = this.#options;
    const now = clock.now();
    this.#lockHeldSince = isLockHeld(error) ? (this.#lockHeldSince ?? now) : undefined;
    const isWaiting = this.#lockHeldSince !== undefined && now - this.#lockHeldSince < lockPatience;
    this.#runner.retryAfter(isWaiting ? lockPause : this.#backoff.next());
    const message = isWaiting ? 'the rules wait for a lock' : 'could not write the rules';
    const fields = { family: this.#family };
    log.error(message, error, fields);
    if (isWaiting) return;
    this.#update({ isFailing: true });
    onAttempt(this.#family, { isSuccess: false });
  }

  #renewAttempt(): void {
    this.#attempt = new Promise((resolve) => {
      this.#wakeWaiting = resolve;
    });
  }
}

const untouched: RuleStatus = { written: undefined, requested: undefined, isFailing: false };
