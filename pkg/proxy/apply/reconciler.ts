import type { Family } from '../../ip/address.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import type { Logger } from '../../log/log.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Yielder } from '../../runner/yielder.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { VipRoutes } from '../desired/vip-routes.ts';
import type { Replacements } from '../graceful/address-reuse.ts';
import type { GracefulTerminationManager } from '../graceful/manager.ts';
import { type HeldPodsContext, recordPods } from '../observed/held-pods.ts';
import { type AuditContext, readVirtualServer } from '../observed/kernel-reader.ts';
import type { MirrorView } from '../observed/mirror.ts';
import { foundFrontEnd } from '../observed/ownership.ts';
import { inSingles, succeeded } from '../plan/add-real-servers.ts';
import type { FailedOperation } from '../plan/failed-operation.ts';
import type { Operation } from '../plan/operation.ts';
import { plan } from '../plan/plan.ts';
import type { Reporter } from '../reporter.ts';
import type { Applier } from './applier.ts';
import type { ChangeLog } from './change-log.ts';
import { addsRealServers, beginsDrain, changesDrains, isWantedAgain } from './drain-operations.ts';
import { isOnePart, planParts, singleParts } from './key-parts.ts';
import { both, nothingFailed, type Outcome, outcomeOf } from './outcome.ts';
import { type Departures, planInputFor } from './plan-input.ts';
import type { Retries } from './retries.ts';
import type { SetGrowth } from './set-growth.ts';

export interface ReconcilerOptions {
  readonly ledger: Ledger;
  readonly mirror: MirrorView;
  readonly vipRoutes: VipRoutes;
  readonly graceful: GracefulTerminationManager;
  readonly retries: Retries;
  readonly replacements: Replacements;
  readonly growth: Pick<SetGrowth, 'makeRoom'>;
  readonly applier: Applier;
  readonly changeLog: Pick<ChangeLog, 'note'>;
  readonly reading: Pick<AuditContext, 'ipvs' | 'mirror' | 'ledger' | 'excluded'> & HeldPodsContext;
  readonly families: readonly Family[];
  /** The index at which the order of real servers begins that are added together; it differs from node to node. */
  readonly rotation: number;
  readonly log: Logger;
  readonly reporter: Pick<Reporter, 'stageTook'>;
  readonly now: () => number;
}

export interface ReconcileOptions {
  /** An audit found the keys to differ: operations count as repairs. */
  readonly isRepair?: boolean;
  /** Called after each part, so that changes that arrived meanwhile need not wait for the last one. */
  readonly between?: () => Promise<void>;
}

/** How a plan is carried out. */
interface Applying {
  readonly token: MutexToken;
  readonly isRepair: boolean;
}

/** Plans for some keys, applies the plan, and records failures for a retry. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #departures: Departures;
  /** The keys to plan again when rules are written. */
  #waiting = new Keys();
  #carriedOut = 0;

  constructor(options: ReconcilerOptions) {
    const { graceful, replacements } = options;
    this.#options = options;
    this.#departures = {
      drainOf: (virtualServer, realServer) => graceful.drainState({ virtualServer, realServer }),
      isResting: (virtualServer, realServer) => replacements.isResting(virtualServer, realServer),
      get hasResting() {
        return !replacements.isEmpty;
      },
    };
  }

  /** How many objects were carried out in parts of a larger number since the start, retries and failures included: see {@link Keys.size}. */
  get carriedOut(): number {
    return this.#carriedOut;
  }

  /** Whether virtual servers or addresses wait for rules. False while the rules of a family fail, as nothing waits for these. */
  get isWaiting(): boolean {
    const isFailing = [...this.#options.mirror.rules.values()].some((rules) => rules.isFailing);
    return !this.#waiting.isEmpty && !isFailing;
  }

  /** Whether keys are kept that waited for rules, even if writing rules fails by now. */
  get hasWaiting(): boolean {
    return !this.#waiting.isEmpty;
  }

  /** Returns the keys that waited for rules, and forgets them. */
  takeWaiting(): Keys {
    const waiting = this.#waiting;
    this.#waiting = new Keys();
    return waiting;
  }

  /** Makes the kernel hold what is wanted for some keys. Failed operations are retried later. */
  async reconcile(
    keys: Keys,
    token: MutexToken,
    { isRepair = false, between }: ReconcileOptions = {},
  ): Promise<Outcome> {
    const { replacements, growth } = this.#options;
    token.check();
    if (keys.entries.size > 0) await growth.makeRoom(keys, token);
    const applying = { token, isRepair };
    let outcome: Outcome;
    if (isOnePart(keys, this.#options)) {
      outcome = await this.#reconcilePart(keys, applying);
      await between?.();
    } else outcome = await this.#reconcileParts(keys, { applying, between });
    await replacements.verify(token);
    return outcome;
  }

  async #reconcileParts(
    keys: Keys,
    { applying, between }: { applying: Applying; between: ReconcileOptions['between'] },
  ): Promise<Outcome> {
    const { ledger, mirror, now } = this.#options;
    const yielder = new Yielder(now);
    let outcome: Outcome = nothingFailed;
    for await (const part of planParts(keys, { ledger, mirror, yielder })) {
      outcome = both(outcome, await this.#reconcilePart(part, applying));
      this.#carriedOut += part.size;
      await yielder.yieldIfDue();
      await between?.();
    }
    return outcome;
  }

  /** Plans and applies one part. If planning throws, its virtual servers are planned one by one, so that only the faulty one fails. */
  async #reconcilePart(part: Keys, applying: Applying): Promise<Outcome> {
    const { log } = this.#options;
    try {
      return await this.#attempt(part, applying);
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      const [first, ...others] = part.allVirtualServers();
      if (first === undefined) throw error;
      const { entries, addresses, ranges } = part;
      if (others.length === 0 && entries.size + addresses.size + ranges.size === 0) {
        this.#fail(first, error);
        return { isSuccess: true, needsAudit: false };
      }
      log.v(2)?.info('planning one by one', { reason: error.message });
    }
    let outcome: Outcome = nothingFailed;
    for (const single of singleParts(part, this.#options))
      outcome = both(outcome, await this.#reconcilePart(single, applying));
    return outcome;
  }

  async #attempt(part: Keys, applying: Applying): Promise<Outcome> {
    const { retries, mirror } = this.#options;
    const keys = mirror.unknownVirtualServers.size === 0 ? part : await this.#readBack(part);
    this.#retireFound(keys);
    recordPods(keys, this.#options.reading);
    const first = await this.#planAndApply(keys, applying);
    if (first.unmarked.isEmpty) return outcomeOf(first.failed);
    const second = await this.#planAndApply(first.unmarked, applying);
    // The failed writes of its entries are logged already.
    for (const key of second.unmarked.virtualServers)
      retries.failVirtualServer(key, new Error(unmarked));
    return outcomeOf([...first.failed, ...second.failed]);
  }

  async #planAndApply(
    keys: Keys,
    applying: Applying,
  ): Promise<{ failed: readonly FailedOperation[]; unmarked: Keys }> {
    const { mirror, applier, retries, families, rotation, reporter, now } = this.#options;
    const { ledger, vipRoutes } = this.#options;
    const departures = this.#departures;
    const began = now();
    const sources = { ledger, mirror, vipRoutes, departures, families, rotation };
    const planned = plan(planInputFor(keys, sources));
    reporter.stageTook('plan', now() - began);
    if (!planned.waiting.isEmpty) this.#waiting.add(planned.waiting);
    const failed = await applier.apply(planned.operations, applying.token, applying);
    if (!applying.isRepair) this.#options.changeLog.note(planned.operations, failed);
    retries.record(keys, { failed, undecided: planned.unmarked });
    if (this.#isFollowed(planned.operations))
      await this.#follow(planned.operations, { failed, token: applying.token });
    return { failed, unmarked: planned.unmarked };
  }

  /** Reads virtual servers whose state is unknown. Returns the keys without those that cannot be read; these are retried later. */
  async #readBack(keys: Keys): Promise<Keys> {
    const { mirror, reading } = this.#options;
    const known = new Keys();
    known.add(keys);
    for (const key of keys.allVirtualServers()) {
      const virtualServer = mirror.unknownVirtualServers.get(key);
      if (virtualServer === undefined) continue;
      known.addVirtualServer(key);
      try {
        await readVirtualServer(key, { virtualServer, context: reading });
      } catch (cause) {
        known.deleteVirtualServer(key);
        this.#fail(key, cause instanceof Error ? cause : new Error(String(cause)));
      }
    }
    return known;
  }

  #fail(key: string, error: Error): void {
    const { log, retries } = this.#options;
    log.error('could not reconcile a virtual server', error, { virtualServer: key });
    retries.failVirtualServer(key, error);
  }

  /** Whether the manager of drains, or the replacements, must know of any of the operations. */
  #isFollowed(operations: readonly Operation[]): boolean {
    const { graceful, replacements } = this.#options;
    const hasDrains = graceful.size > 0;
    const hasReplacements = !replacements.isEmpty;
    return operations.some(
      (operation) =>
        beginsDrain(operation) ||
        (hasDrains && changesDrains(operation)) ||
        (hasReplacements && addsRealServers(operation)),
    );
  }

  /** Reports the operations that succeeded to the manager of drains and to the replacements. */
  async #follow(
    operations: readonly Operation[],
    { failed, token }: { failed: readonly FailedOperation[]; token: MutexToken },
  ): Promise<void> {
    const { graceful, replacements } = this.#options;
    const done = inSingles(succeeded(operations, failed));
    const drains = done.filter(beginsDrain);
    if (drains.length > 0) await graceful.gracefulDeleteRS(drains, token);
    for (const operation of done) {
      if (isWantedAgain(operation) && graceful.inTerminationList(operation))
        await graceful.moveRSOutOfGracefulDeleteList(operation, token, { hasWeight: true });
      else if (operation.kind === 'updateVirtualServer')
        graceful.virtualServerChanged(virtualServerKey(operation.virtualServer));
      else if (operation.kind === 'addRealServer' && !replacements.isEmpty)
        replacements.added(operation.virtualServer, {
          ...operation.realServer,
          podUid: operation.podUid,
        });
    }
  }

  /** Retires virtual servers that the kernel holds and no Service wants, so that they drain like those of a deleted Service. */
  #retireFound({ virtualServers }: Keys): void {
    const { ledger, mirror } = this.#options;
    for (const key of virtualServers) {
      const held = mirror.virtualServers.get(key);
      if (held !== undefined && ledger.frontEnd(key) === undefined)
        ledger.retire(foundFrontEnd(held.virtualServer, mirror));
    }
  }
}

/** Why a virtual server is not made. */
const unmarked = 'set entries that it needs could not be written';
