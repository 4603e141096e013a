import type { Logger } from '../../log/log.ts';
import type { Clock } from '../../runner/clock.ts';
import type { Mutex, MutexToken } from '../../runner/mutex.ts';
import type { UdpHandover } from '../flows/udp-handover.ts';
import type { FailedOperation, ServerOperation } from '../plan/failed-operation.ts';
import type { DrainEnd } from '../plan/operation.ts';
import type { ClientReset } from './client-reset.ts';
import type { Leaving } from './client-search.ts';
import { cutsClients, type Over } from './decide.ts';
import { type Drain, type DrainList, type DrainRequest, type EndedDrain, nameOf } from './list.ts';

/** Carries out operations on real servers before it returns; the failed ones. */
export type ApplyNow = (
  operations: readonly ServerOperation[],
  token: MutexToken,
) => readonly FailedOperation[];

/** What a {@link DrainEnder} works with. */
export interface DrainEnderOptions {
  readonly list: DrainList;
  readonly apply: ApplyNow;
  /** Whether a Service wants the real server now, and for the same pod as far as both are known. */
  readonly isWanted: (
    virtualServer: DrainRequest['virtualServer'],
    realServer: Pick<DrainRequest, 'realServer' | 'podUid'>,
  ) => boolean;
  /** Without one, clients learn of a deletion at their next packet. */
  readonly clientReset: ClientReset | undefined;
  /** How UDP ends whose pod lives. */
  readonly handover: Pick<UdpHandover, 'pass'>;
  readonly mutex: Mutex;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onEnd?: (drain: EndedDrain) => void;
  /** A real server that was over could not be deleted, after its clients were looked up. */
  readonly onFailed: (drain: Drain) => void;
}

/** Takes real servers away whose drains are over, by way of the client reset if they have clients that must be told. */
export class DrainEnder {
  readonly #options: DrainEnderOptions;

  constructor(options: DrainEnderOptions) {
    this.#options = options;
  }

  /**
   * Deletes what is over. Those whose connections are cut go as soon as their clients are looked up; the urgent ones among them
   * are given back, for {@link finishNow}.
   */
  finish(over: readonly Over[], token: MutexToken): readonly Over[] {
    const { clientReset, mutex } = this.#options;
    const isTold = (some: Over) =>
      clientReset !== undefined &&
      cutsClients(some, { cutsClosing: !clientReset.expiresConnections });
    const told = over.filter(isTold);
    const handedOver = over.filter(isAnswering);
    this.#delete(
      over.filter((some) => !isTold(some) && !isAnswering(some)),
      token,
    );
    this.#handOver(handedOver);
    for (const { drain, isUrgent } of told) drain.ending = isUrgent ? 'now' : 'soon';
    const patient = told.filter(({ isUrgent }) => !isUrgent);
    if (patient.length > 0)
      clientReset?.part(patient.map(leavingOf), (before) =>
        mutex.run((turn) => this.#cutAfter(patient, { before, token: turn })),
      );
    return told.filter(({ isUrgent }) => isUrgent);
  }

  /** Their datagrams go elsewhere from the moment of the deletion. */
  #handOver(over: readonly Over[]): void {
    const { handover, mutex } = this.#options;
    if (over.length === 0) return;
    for (const { drain } of over) drain.ending = 'soon';
    handover.pass(over.map(requestOf), (forget) =>
      mutex.run((token) => {
        const due = over.filter((some) => this.#isOnList(some) && !this.endIfWanted(some.drain));
        forget.before(due.map(requestOf));
        forget.after(this.#cut(due, token));
      }),
    );
  }

  /** Deletes those that are urgent; of all virtual servers together, as one lookup serves them. */
  async finishNow(urgent: readonly Over[], token: MutexToken): Promise<void> {
    if (urgent.length === 0) return;
    await this.#options.clientReset?.partNow(urgent.map(leavingOf), (before) =>
      this.#cutAfter(urgent, { before, token }),
    );
  }

  /** Ends a drain whose real server a Service wants; false if none does. */
  endIfWanted(drain: Drain): boolean {
    if (!this.#options.isWanted(drain.request.virtualServer, drain.request)) return false;
    this.end(drain, 'wanted');
    return true;
  }

  /** Takes a drain off the list, and says so. */
  end(drain: Drain, end: DrainEnd): void {
    const { list, clock, log, onEnd } = this.#options;
    if (!list.remove(drain)) return;
    const age = clock.now() - drain.progress.started;
    const isCut = end !== 'wanted' && end !== 'shutdown' && end !== 'vanished';
    const cutConnections = isCut ? (drain.progress.reading?.activeConnections ?? 0) : 0;
    log.v(2)?.info('drain ended', {
      realServer: nameOf(drain),
      end,
      seconds: Math.round(age / 1000),
      cutConnections,
    });
    onEnd?.({ ...drain.request, end, age, cutConnections });
  }

  /** Deletes what was over when its clients began to be looked up, after what is to be done for those that go. Those that went. */
  async #cutAfter(
    told: readonly Over[],
    {
      before,
      token,
    }: { before: (requests: readonly DrainRequest[]) => Promise<void>; token: MutexToken },
  ): Promise<readonly DrainRequest[]> {
    try {
      const due = told.filter((some) => this.#isOnList(some) && !this.endIfWanted(some.drain));
      await before(due.map(requestOf));
      return this.#delete(
        due.filter((some) => this.#isOnList(some)),
        token,
      );
    } finally {
      this.#lookAgain(told);
    }
  }

  /** The same with nothing before. */
  #cut(told: readonly Over[], token: MutexToken): readonly DrainRequest[] {
    try {
      return this.#delete(
        told.filter((some) => this.#isOnList(some)),
        token,
      );
    } finally {
      this.#lookAgain(told);
    }
  }

  /** Whatever is still on the list was not deleted. */
  #lookAgain(told: readonly Over[]): void {
    for (const { drain } of told.filter((some) => this.#isOnList(some))) {
      drain.ending = undefined;
      this.#options.onFailed(drain);
    }
  }

  #isOnList({ drain }: Over): boolean {
    const { virtualServer, realServer } = drain.request;
    return this.#options.list.find(virtualServer, realServer) === drain;
  }

  /** Deletes real servers that are still unwanted at this moment. Those that went. */
  #delete(over: readonly Over[], token: MutexToken): readonly DrainRequest[] {
    const due = over.filter(({ drain }) => !this.endIfWanted(drain));
    const operations = due.map(({ drain, end }) => {
      const { virtualServer, realServer } = drain.request;
      return { kind: 'deleteRealServer', virtualServer, realServer, reason: end } as const;
    });
    const failed = this.#options.apply(operations, token);
    const failures = new Set(failed.map(({ operation }) => operation));
    return due.flatMap(({ drain, end }, index) => {
      const operation = operations[index];
      if (operation !== undefined && failures.has(operation)) return [];
      this.end(drain, end);
      return [drain.request];
    });
  }
}

function requestOf({ drain }: Over): DrainRequest {
  return drain.request;
}

function leavingOf({ drain: { request, progress } }: Over): Leaving {
  return { ...request, connections: progress.reading?.activeConnections };
}

/** Whether a server has answered its datagrams until now. */
function isAnswering({ drain: { request }, end }: Over): boolean {
  return request.virtualServer.protocol === 'UDP' && end === 'empty';
}
