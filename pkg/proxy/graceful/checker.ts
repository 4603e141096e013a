import type { IpAddress } from '../../ip/address.ts';
import {
  type Ipvs,
  printVirtualServer,
  type RealServerStatus,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { Logger } from '../../log/log.ts';
import type { Neighbours } from '../../neighbours/neighbours.ts';
import type { Clock } from '../../runner/clock.ts';
import { type Mutex, type MutexToken, runDetached } from '../../runner/mutex.ts';
import { Yielder } from '../../runner/yielder.ts';
import { type ReadonlyRealServerMap, RealServerMap } from '../desired/real-server-map.ts';
import type { FailedOperation, SingleIpvsOperation } from '../plan/failed-operation.ts';
import type { DrainEnd } from '../plan/operation.ts';
import {
  allowanceOf,
  type Decision,
  type DrainContext,
  decide,
  type FinishedDrain,
  isUndecided,
  leavingOf,
  needsReading,
  type Readings,
} from './decide.ts';
import {
  type Drain,
  type DrainGroup,
  type DrainList,
  type DrainRequest,
  type EndedDrain,
  uniqueRS,
} from './list.ts';
import type { CleanupLookUp, FoundCleanups } from './look-up.ts';
import { type DrainMode, nextInterval } from './policy.ts';

/** Carries out operations on real servers. Returns those that failed. */
export type Apply = (
  operations: readonly SingleIpvsOperation[],
  token: MutexToken,
) => Promise<readonly FailedOperation[]>;

export interface GracefulOptions {
  readonly ipvs: Pick<Ipvs, 'realServers'>;
  readonly apply: Apply;
  readonly mutex: Mutex;
  readonly clock: Clock;
  readonly log: Logger;
  readonly mode: DrainMode;
  /** After how many milliseconds of unanswered packets a real server counts as dead; a minute by default. */
  readonly unansweredAfter?: number | undefined;
  /** Returns the current values that the rules of a drain depend on. */
  readonly contextOf: (request: DrainRequest) => DrainContext;
  /** Tells packets of a real server from ICMP errors of the node. Without it, every packet counts as an answer. */
  readonly neighbours?: Pick<Neighbours, 'canReach'>;
  /** Finds waiting clients and datagrams in flight before a deletion. Without it, real servers are deleted at once. */
  readonly lookUp?: Pick<CleanupLookUp, 'find' | 'findNow' | 'isDue' | 'expiresConnections'>;
  /** Whether waiting clients are looked up and reset; false by default. */
  readonly resetsWaitingClients?: boolean;
  readonly onEnd?: (drain: EndedDrain) => void;
}

export interface DrainCheckerOptions extends GracefulOptions {
  /** Called when drains that could not be ended have been scheduled again. */
  readonly onPostponed: () => void;
}

const nobody: ReadonlySet<IpAddress> = new Set();

/** Reads the input of decisions about drains, decides, and carries the decisions out. */
export class DrainChecker {
  readonly #list: DrainList;
  readonly #options: DrainCheckerOptions;
  #isStopped = false;

  constructor(list: DrainList, options: DrainCheckerOptions) {
    this.#list = list;
    this.#options = options;
  }

  /** Decides about the drains of one virtual server, with one dump at most. Returns those that wait for a look-up. */
  async check(group: DrainGroup, token: MutexToken): Promise<readonly FinishedDrain[]> {
    token.check();
    const { mode, log } = this.#options;
    try {
      const contexts = await this.#contexts(
        group.drains.values(),
        (drain, context) =>
          context.isWanted || isUndecided(drain, allowanceOf(drain, { mode, context })),
      );
      const realServers = await this.#readIfNeeded(group, contexts);
      const unreachable = this.#unreachable(contexts.keys(), realServers);
      const readings = { realServers, unreachable, cleanups: undefined };
      const decision = this.#decide(contexts, { readings, since: group.since });
      this.#list.schedule(group, decision.due);
      await this.#carryOut(decision, token);
      return decision.lookUps;
    } catch (error) {
      const virtualServer = printVirtualServer(group.virtualServer);
      log.error('could not look at draining real servers', error, { virtualServer });
      this.#postpone(group);
      return [];
    }
  }

  /**
   * Deletes the real servers of drains that wait for a look-up. Urgent ones are deleted before this returns if conntrack may be
   * read now, all others after the look-up.
   */
  async finish(lookUps: readonly FinishedDrain[], token: MutexToken): Promise<void> {
    token.check();
    for (const { drain, end, isUrgent } of lookUps) drain.ending = { end, isUrgent };
    const { lookUp } = this.#options;
    if (lookUp === undefined) return;
    const { urgent = [], others = [] } = Object.groupBy(lookUps, (one) =>
      one.isUrgent && lookUp.isDue(leavingOf(one)) ? 'urgent' : 'others',
    );
    if (others.length > 0) void runDetached(() => this.#finishLater(others, lookUp));
    if (urgent.length === 0) return;
    try {
      await this.#finishWith(urgent, {
        cleanups: await lookUp.findNow(urgent.map(leavingOf)),
        token,
      });
    } finally {
      this.#decideAgain(urgent.map(({ drain }) => drain));
    }
  }

  /** Removes a drain from the list and reports its end. */
  end(drain: Drain, end: DrainEnd): void {
    const { clock, log, onEnd } = this.#options;
    if (!this.#list.remove(drain)) return;
    const age = clock.now() - drain.progress.started;
    const isCut = end !== 'wanted' && end !== 'shutdown' && end !== 'vanished';
    const cutConnections = isCut ? (drain.progress.reading?.activeConnections ?? 0) : 0;
    log.v(2)?.info('drain ended', {
      realServer: uniqueRS(drain.request),
      end,
      seconds: Math.round(age / 1000),
      cutConnections,
    });
    onEnd?.({ ...drain.request, end, age, cutConnections });
  }

  /** Stops look-ups as the program ends. Drains that wait for one stay in the kernel at weight 0. */
  stop(): void {
    this.#isStopped = true;
  }

  async #finishLater(
    others: readonly FinishedDrain[],
    lookUp: NonNullable<GracefulOptions['lookUp']>,
  ): Promise<void> {
    const { mutex, log } = this.#options;
    try {
      const cleanups = await lookUp.find(others.map(leavingOf));
      await mutex.run((token) => this.#finishWith(others, { cleanups, token }));
    } catch (error) {
      if (!this.#isStopped) log.error('could not delete drained real servers', error);
    }
    this.#decideAgain(others.map(({ drain }) => drain));
  }

  /** Deletes real servers whose drain was over when their look-up began. Those that are wanted again stay. */
  async #finishWith(
    finished: readonly FinishedDrain[],
    { cleanups, token }: { cleanups: FoundCleanups; token: MutexToken },
  ): Promise<void> {
    if (this.#isStopped) return;
    const present = finished.map(({ drain }) => drain).filter((drain) => this.#isOnList(drain));
    const contexts = await this.#contexts(present, () => true);
    const readings = { realServers: undefined, unreachable: nobody, cleanups };
    const since = this.#options.clock.now();
    await this.#carryOut(this.#decide(contexts, { readings, since }), token);
  }

  /** Schedules a new decision about those of the drains that are still on the list, because their deletion failed. */
  #decideAgain(drains: readonly Drain[]): void {
    if (this.#isStopped) return;
    for (const drain of drains) {
      if (!this.#isOnList(drain)) continue;
      drain.ending = undefined;
      const group = this.#list.group(virtualServerKey(drain.request.virtualServer));
      if (group !== undefined) this.#postpone(group);
    }
    this.#options.onPostponed();
  }

  #postpone(group: DrainGroup): void {
    const { clock, mode } = this.#options;
    const interval = nextInterval(clock.now() - group.since, { mode, isClosing: true });
    this.#list.schedule(group, clock.now() + interval);
  }

  #isOnList(drain: Drain): boolean {
    return this.#list.find(drain.request) === drain;
  }

  #decide(
    contexts: ReadonlyMap<Drain, DrainContext>,
    { readings, since }: { readings: Readings; since: number },
  ): Decision {
    const { clock, mode, unansweredAfter, lookUp, resetsWaitingClients = false } = this.#options;
    return decide([...contexts.keys()], {
      contexts,
      readings,
      mode,
      unansweredAfter,
      since,
      now: clock.now(),
      lookUps: {
        TCP: lookUp !== undefined && resetsWaitingClients,
        UDP: lookUp !== undefined,
        expiresConnections: lookUp?.expiresConnections ?? true,
      },
    });
  }

  async #carryOut({ progress, ended, deletions }: Decision, token: MutexToken): Promise<void> {
    for (const [drain, seen] of progress) drain.progress = seen;
    for (const { drain, end } of ended) this.end(drain, end);
    if (deletions.size === 0) return;
    const failed = await this.#options.apply([...deletions.keys()], token);
    const failures = new Set(failed.map(({ operation }) => operation));
    for (const [operation, { drain, end }] of deletions) {
      if (!failures.has(operation)) this.end(drain, end);
      else this.#decideAgain([drain]);
    }
  }

  /** The contexts of the drains for which the condition holds. Lets the event loop turn while there are many. */
  async #contexts(
    drains: Iterable<Drain>,
    condition: (drain: Drain, context: DrainContext) => boolean,
  ): Promise<ReadonlyMap<Drain, DrainContext>> {
    const { clock, contextOf } = this.#options;
    const yielder = new Yielder(() => clock.now());
    const contexts = new Map<Drain, DrainContext>();
    for (const drain of [...drains]) {
      if (yielder.isDue) await yielder.yieldIfDue();
      const context = contextOf(drain.request);
      if (condition(drain, context)) contexts.set(drain, context);
    }
    return contexts;
  }

  async #readIfNeeded(
    { virtualServer }: DrainGroup,
    contexts: ReadonlyMap<Drain, DrainContext>,
  ): Promise<ReadonlyRealServerMap<RealServerStatus> | undefined> {
    const { mode, ipvs } = this.#options;
    const isNeeded = [...contexts].some(
      ([drain, context]) =>
        !context.isWanted && needsReading(drain, allowanceOf(drain, { mode, context })),
    );
    if (!isNeeded) return undefined;
    const draining = new Set<IpAddress>();
    for (const { request } of contexts.keys()) draining.add(request.realServer.address);
    const byId = new RealServerMap<RealServerStatus>();
    for (const status of await ipvs.realServers(virtualServer, draining)) byId.set(status, status);
    return byId;
  }

  /** The addresses whose counter of outgoing packets rose although the node cannot reach them. */
  #unreachable(
    drains: Iterable<Drain>,
    realServers: ReadonlyRealServerMap<RealServerStatus> | undefined,
  ): ReadonlySet<IpAddress> {
    if (realServers === undefined) return nobody;
    const unreachable = new Set<IpAddress>();
    for (const { request, progress } of drains) {
      const status = realServers.get(request.realServer);
      const last = progress.reading?.outgoingPackets;
      if (status === undefined || last === undefined) continue;
      if (status.statistics.outgoingPackets > last && !this.#canReach(status.address))
        unreachable.add(status.address);
    }
    return unreachable;
  }

  /** Whether the node can reach an address. True if that is unknown, so that packets from it count as answers. */
  #canReach(address: IpAddress): boolean {
    const { neighbours, log } = this.#options;
    try {
      return neighbours?.canReach(address) ?? true;
    } catch (error) {
      log.error('could not look for the way to a draining real server', error, { address });
      return true;
    }
  }
}
