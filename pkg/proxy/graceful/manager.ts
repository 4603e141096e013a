import type { IpAddress } from '../../ip/address.ts';
import type { VirtualServerId } from '../../ipvs/ipvs.ts';
import { seconds } from '../../runner/clock.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Runner } from '../../runner/runner.ts';
import { unknownPod } from '../desired/pod-identity.ts';
import type { FlowEnds } from '../flows/flow-ends.ts';
import type { FailedOperation } from '../plan/failed-operation.ts';
import type { PlannedRealServer } from '../plan/input.ts';
import { DrainChecker, type GracefulOptions } from './checker.ts';
import type { FinishedDrain } from './decide.ts';
import { type DrainStatus, drainStatus } from './drain-status.ts';
import { type DrainGroup, DrainList, type DrainRequest, uniqueRS } from './list.ts';

/** How many virtual servers are read, one dump each, before other work gets this much time, in milliseconds. */
const checksAtOnce = 50;
const pause = seconds(0.1);

/**
 * The termination list: real servers that are no longer wanted keep their connections and get no new ones, until
 * `docs/graceful-termination.md` says that they are deleted. Drains that go on when the program stops stay in the kernel at
 * weight 0 and are found there at the next start.
 */
export class GracefulTerminationManager {
  readonly #options: GracefulOptions;
  readonly #checker: DrainChecker;
  readonly #list = new DrainList();
  readonly #checks: Runner;

  constructor(options: GracefulOptions) {
    const { clock, log } = options;
    this.#options = options;
    const onPostponed = () => this.#schedule();
    this.#checker = new DrainChecker(this.#list, { ...options, onPostponed });
    const run = () => this.#checkDue();
    this.#checks = new Runner({ clock, log, minInterval: pause, run });
  }

  /** How many real servers are on the list. */
  get size(): number {
    return this.#list.size;
  }

  /** How many drains have begun since the start, those included that were found in the kernel then. */
  get begun(): number {
    return this.#list.begun;
  }

  /** When the oldest drain began; `undefined` if there is none. */
  get oldest(): number | undefined {
    return this.#list.oldest;
  }

  /** The drains of a virtual server, given by its key. The status of each is worked out when it is called for. */
  *drainsOf(
    virtualServer: string,
  ): Generator<{ readonly request: DrainRequest; readonly status: () => DrainStatus }> {
    const { mode, contextOf, clock } = this.#options;
    for (const drain of this.#list.group(virtualServer)?.drains.values() ?? []) {
      const { request } = drain;
      const status = () =>
        drainStatus(drain, { mode, context: contextOf(request), now: clock.now() });
      yield { request, status };
    }
  }

  /** The virtual servers behind which a real server with this address drains. */
  drainsAt(address: IpAddress): readonly VirtualServerId[] {
    return this.#list.groupsOf(address).map(({ virtualServer }) => virtualServer);
  }

  /** The state of a real server's drain, for the planner's input. */
  drainState(ends: FlowEnds): PlannedRealServer['drain'] {
    const drain = this.#list.find(ends);
    if (drain === undefined) return 'none';
    return drain.ending?.isUrgent === true ? 'endingNow' : 'draining';
  }

  /**
   * Puts real servers on the list. Those with another weight get weight 0 first; where that fails they come off the list again.
   * Then deletes them or lets them drain, by the rules. With many virtual servers, only the first are decided about before this
   * returns.
   */
  async gracefulDeleteRS(
    requests: readonly DrainRequest[],
    token: MutexToken,
  ): Promise<readonly FailedOperation[]> {
    token.check();
    const { apply, clock } = this.#options;
    const drains = requests.map(toDrain);
    const weighed = drains.filter((_, index) => requests[index]?.realServer.weight !== 0);
    const failed = weighed.length === 0 ? [] : await apply(weighed, token);
    const failures = new Set<unknown>(failed.map(({ operation }) => operation));
    const groups = new Set<DrainGroup>();
    for (const [index, { virtualServer, realServer }] of drains.entries()) {
      if (failures.has(drains[index])) continue;
      const podUid = requests[index]?.podUid ?? unknownPod;
      groups.add(this.#list.add({ virtualServer, realServer, podUid }, clock.now()));
    }
    const lookUps: FinishedDrain[] = [];
    for (const group of [...groups].slice(0, checksAtOnce))
      lookUps.push(...(await this.#checker.check(group, token)));
    await this.#checker.finish(lookUps, token);
    this.#schedule();
    return failed;
  }

  /** Whether a real server is on the list. */
  inTerminationList(ends: FlowEnds): boolean {
    return this.#list.find(ends) !== undefined;
  }

  /**
   * Takes a real server off the list that is wanted again. It gets weight 1 unless it has its weight back already, and keeps its
   * connections. Throws if it is not on the list or cannot be changed.
   */
  async moveRSOutOfGracefulDeleteList(
    ends: FlowEnds,
    token: MutexToken,
    { hasWeight = false } = {},
  ): Promise<void> {
    token.check();
    const drain = this.#list.find(ends);
    if (drain === undefined) throw new Error(`${uniqueRS(ends)} is not on the termination list`);
    if (!hasWeight) {
      const { virtualServer, realServer, podUid } = drain.request;
      const weighed = { ...realServer, weight: 1 };
      const operation = { kind: 'weighRealServer', virtualServer, realServer: weighed } as const;
      const [failed] = await this.#options.apply([{ ...operation, podUid }], token);
      if (failed !== undefined) throw failed.error;
    }
    this.#checker.end(drain, 'wanted');
  }

  /** Schedules a new decision about the drains of an address whose pods changed, in the virtual servers for which the condition holds. */
  podChanged(address: IpAddress, concerns: (virtualServer: VirtualServerId) => boolean): void {
    for (const group of this.#list.groupsOf(address))
      if (concerns(group.virtualServer)) this.#decideSoon(group);
  }

  /** Schedules a new decision about the drains of a virtual server, given by its key, that changed or was retired. */
  virtualServerChanged(key: string): void {
    const group = this.#list.group(key);
    if (group !== undefined) this.#decideSoon(group);
  }

  /** Ends drains by the rules until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#checks.run(signal);
    this.#checker.stop();
    for (const drain of [...this.#list.drains()]) this.#checker.end(drain, 'shutdown');
  }

  #decideSoon(group: DrainGroup): void {
    this.#list.schedule(group, this.#options.clock.now());
    this.#checks.request();
  }

  async #checkDue(): Promise<void> {
    const { mutex, clock } = this.#options;
    const lookUps: FinishedDrain[] = [];
    for (let left = checksAtOnce; left > 0; left--) {
      const group = this.#list.takeDue(clock.now());
      if (group === undefined) break;
      lookUps.push(...(await mutex.run((token) => this.#checker.check(group, token))));
    }
    await mutex.run((token) => this.#checker.finish(lookUps, token));
    this.#schedule();
  }

  #schedule(): void {
    const { nextDue } = this.#list;
    if (nextDue < Number.POSITIVE_INFINITY)
      this.#checks.retryAfter(Math.max(0, nextDue - this.#options.clock.now()));
  }
}

/** The operation that sets a weight of 0. */
function toDrain({ virtualServer, realServer, podUid }: DrainRequest) {
  const drained = { ...realServer, weight: 0 };
  return { kind: 'drainRealServer', virtualServer, realServer: drained, podUid } as const;
}
