import type { IpAddress } from '../../ip/address.ts';
import {
  type Ipvs,
  printVirtualServer,
  type RealServer,
  type RealServerId,
  type RealServerStatus,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { Neighbours } from '../../neighbours/neighbours.ts';
import { seconds } from '../../runner/clock.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Runner } from '../../runner/runner.ts';
import { Yielder } from '../../runner/yielder.ts';
import type { ServerOperation } from '../plan/failed-operation.ts';
import {
  isUndecided,
  type Judged,
  judge,
  needsReading,
  type Over,
  planNextLook,
} from './decide.ts';
import { DrainEnder, type DrainEnderOptions } from './ender.ts';
import { type Drain, type DrainGroup, DrainList, type DrainRequest } from './list.ts';
import {
  type Allowance,
  allowance,
  type DrainConditions,
  type DrainMode,
  nextInterval,
  withCause,
} from './policy.ts';

/** What a drain's rules depend on besides the drain itself. */
export type DrainContext = Pick<
  DrainConditions,
  'cause' | 'pod' | 'timeout' | 'isExposed' | 'isAddressGone' | 'scheduler'
>;

/** What the manager works with. */
export interface GracefulOptions extends Omit<DrainEnderOptions, 'list' | 'onFailed'> {
  readonly ipvs: Ipvs;
  readonly mode: DrainMode;
  /** After how many milliseconds of unanswered packets a server counts as dead; a minute unless said otherwise. */
  readonly unansweredAfter?: number | undefined;
  readonly neighbours: Neighbours;
  readonly contextOf: (request: DrainRequest) => DrainContext;
}

/** At most so many virtual servers are looked at, one dump each, before others get this much time. */
const checksAtOnce = 50;
const pause = seconds(0.1);
/** Of one virtual server so many drains end at once; the next ones follow after the pause. */
const endsAtOnce = 500;

/**
 * Real servers that are no longer wanted, on their way out: they keep their connections and get no new ones, until
 * `docs/graceful-termination.md` says that they are over. Drains that go on when the program stops stay in the kernel at weight 0
 * and are found there at the next start.
 */
export class GracefulTerminationManager {
  readonly #options: GracefulOptions;
  readonly #list = new DrainList();
  readonly #ender: DrainEnder;
  readonly #checks: Runner;

  constructor(options: GracefulOptions) {
    const { clock, log } = options;
    this.#options = options;
    this.#ender = new DrainEnder({
      ...options,
      list: this.#list,
      onFailed: (drain) => this.#lookAgain(drain),
    });
    const run = () => this.#checkDue();
    this.#checks = new Runner({ clock, log, minInterval: pause, run });
  }

  /** How many real servers drain. */
  get size(): number {
    return this.#list.size;
  }

  /**
   * Sets the weight to 0, then deletes the real server or lets it drain, by the rules. Throws if the weight cannot be set.
   * Without a cause its pod counts as one that left while it was well.
   */
  async gracefulDeleteRS(
    virtualServer: VirtualServerId,
    realServer: RealServer,
    cause?: { readonly podUid: string },
  ): Promise<void> {
    await this.#options.mutex.run(async (token) => {
      const drained = { ...realServer, weight: 0 };
      const podUid = cause?.podUid;
      this.#weigh(
        { kind: 'drainRealServer', virtualServer, realServer: drained, podUid: podUid ?? '' },
        token,
      );
      await this.begin([{ virtualServer, realServer: drained, podUid }], token);
    });
  }

  /** Whether a real server drains, by its name, as `uniqueRS` makes it; never waits. */
  inTerminationList(unique: string): boolean {
    return this.#list.findByName(unique) !== undefined;
  }

  /** Whether a real server drains; never waits. */
  isDraining(virtualServer: VirtualServerId, realServer: RealServerId): boolean {
    return this.#list.find(virtualServer, realServer) !== undefined;
  }

  /** Whether a real server that drains goes as soon as may be. */
  isEndingNow(virtualServer: VirtualServerId, realServer: RealServerId): boolean {
    return this.#list.find(virtualServer, realServer)?.ending === 'now';
  }

  /** Gives a draining real server its weight back in place: its connections carry on. Throws if it does not drain or cannot be changed. */
  moveRSOutOfGracefulDeleteList(unique: string, token: MutexToken): void {
    const drain = this.#list.findByName(unique);
    if (drain === undefined) throw new Error(`${unique} does not drain`);
    const { virtualServer, realServer, podUid } = drain.request;
    const weighed = { ...realServer, weight: 1 };
    this.#weigh(
      { kind: 'weighRealServer', virtualServer, realServer: weighed, podUid: podUid ?? '' },
      token,
    );
    this.#ender.end(drain, 'wanted');
  }

  #weigh(operation: ServerOperation, token: MutexToken): void {
    const [failed] = this.#options.apply([operation], token);
    if (failed !== undefined) throw failed.error;
  }

  /** Takes a real server off the list that was given its weight back. */
  forget(virtualServer: VirtualServerId, realServer: RealServerId): void {
    const drain = this.#list.find(virtualServer, realServer);
    if (drain !== undefined) this.#ender.end(drain, 'wanted');
  }

  /**
   * Begins drains of real servers at weight 0, and ends at once those that need not wait; of many virtual servers the first,
   * and the others as soon as may be.   */
  async begin(requests: readonly DrainRequest[], token: MutexToken): Promise<void> {
    token.check();
    const groups = new Set<DrainGroup>();
    for (const request of requests) groups.add(this.#list.add(request, this.#options.clock.now()));
    const urgent: Over[] = [];
    for (const group of [...groups].slice(0, checksAtOnce))
      urgent.push(...(await this.#check(group, token)));
    await this.#ender.finishNow(urgent, token);
    this.#schedule();
  }

  /** Something became known of the pods on an address: the drains of virtual servers that it concerns are judged anew. */
  podChanged(address: IpAddress, concerns: (virtualServer: VirtualServerId) => boolean): void {
    const groups = this.#list
      .groupsOf(address)
      .filter(({ virtualServer }) => concerns(virtualServer));
    for (const group of groups) group.due = this.#options.clock.now();
    if (groups.length > 0) this.#checks.request();
  }

  /** A virtual server is no longer wanted, by its key: its drains are judged anew. */
  virtualServerRetired(key: string): void {
    const group = this.#list.group(key);
    if (group === undefined) return;
    group.due = this.#options.clock.now();
    this.#checks.request();
  }

  /** Looks after the drains until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#checks.run(signal);
    for (const drain of [...this.#list.drains()]) this.#ender.end(drain, 'shutdown');
  }

  async #checkDue(): Promise<void> {
    const { mutex, clock } = this.#options;
    const urgent: Over[] = [];
    for (const group of this.#list.due(clock.now()).slice(0, checksAtOnce)) {
      urgent.push(...(await mutex.run((token) => this.#check(group, token))));
    }
    await mutex.run((token) => this.#ender.finishNow(urgent, token));
    this.#schedule();
  }

  #schedule(): void {
    const { nextDue } = this.#list;
    if (nextDue < Number.POSITIVE_INFINITY)
      this.#checks.retryAfter(Math.max(0, nextDue - this.#options.clock.now()));
  }

  /**
   * Looks at all drains of one virtual server: at most one dump, and the writes that follow from it. Those that are left to
   * {@link DrainEnder.finishNow}.
   */
  async #check(group: DrainGroup, token: MutexToken): Promise<readonly Over[]> {
    const { clock, mode, unansweredAfter } = this.#options;
    try {
      const judged = await this.#undecided(group);
      const found = judged.some(needsReading) ? await this.#read(group.virtualServer) : undefined;
      const now = clock.now();
      const look = { found, now, mode, unansweredAfter, canReach: this.#canReach };
      const over = judge(judged, look);
      const urgent = this.#ender.finish(over.slice(0, endsAtOnce), token);
      planNextLook(group, { judged, now, mode });
      if (over.length > endsAtOnce) group.due = now;
      return urgent;
    } catch (error) {
      const virtualServer = printVirtualServer(group.virtualServer);
      this.#options.log.error('could not look at draining real servers', error, { virtualServer });
      group.due = clock.now() + nextInterval(clock.now() - group.since, { mode, isClosing: true });
      return [];
    }
  }

  /** The drains of a virtual server whose end is not decided; the event loop turns while there are many. */
  async #undecided(group: DrainGroup): Promise<readonly Judged[]> {
    const { clock } = this.#options;
    const yielder = new Yielder(() => clock.now());
    const found: Judged[] = [];
    for (const drain of [...group.drains.values()]) {
      if (yielder.isDue) await yielder.yieldIfDue();
      if (this.#ender.endIfWanted(drain)) continue;
      const judged = { drain, allowed: this.#allowance(drain) };
      if (isUndecided(judged)) found.push(judged);
    }
    return found;
  }

  /** A real server that could not be deleted is judged anew. */
  #lookAgain({ request }: Drain): void {
    const { clock, mode } = this.#options;
    const group = this.#list.group(virtualServerKey(request.virtualServer));
    if (group === undefined) return;
    group.due = clock.now() + nextInterval(clock.now() - group.since, { mode, isClosing: true });
    this.#schedule();
  }

  /** Where nobody knows, what seems to come from a server is taken for its answer. */
  readonly #canReach = (address: IpAddress): boolean => {
    const { neighbours } = this.#options;
    try {
      return neighbours.canReach(address);
    } catch (error) {
      this.#options.log.error('could not look for the way to a draining real server', error, {
        address,
      });
      return true;
    }
  };

  #allowance(drain: Drain): Allowance {
    const { mode, clock, contextOf } = this.#options;
    const { virtualServer } = drain.request;
    const found = contextOf(drain.request);
    drain.progress = withCause(drain.progress, { cause: found.cause, now: clock.now() });
    return allowance({ mode, protocol: virtualServer.protocol, ...found });
  }

  async #read(virtualServer: VirtualServerId): Promise<ReadonlyMap<string, RealServerStatus>> {
    const statuses = await this.#options.ipvs.realServers(virtualServer);
    return new Map(statuses.map((status) => [realServerKey(status), status]));
  }
}
