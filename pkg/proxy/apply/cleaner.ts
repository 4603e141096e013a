import type { Conntrack, Flow } from '../../conntrack/conntrack.ts';
import { printVirtualServer } from '../../ipvs/ipvs.ts';
import type { Logger } from '../../log/log.ts';
import type { Resetter } from '../../reset/reset.ts';
import type { Clock } from '../../runner/clock.ts';
import { Yielder } from '../../runner/yielder.ts';
import type { ClientResetter } from '../graceful/client-resetter.ts';
import type { Cleanup, CleanupStep } from '../plan/cleanup.ts';
import type { Operation } from '../plan/operation.ts';
import type { OperationCounts } from '../reporter.ts';

export interface CleanerOptions {
  readonly conntrack: Pick<Conntrack, 'delete'>;
  readonly resetter: Pick<Resetter, 'abort'>;
  readonly clientResetter: Pick<ClientResetter, 'reset'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called with the number of clients that are not reset because there are too many. */
  readonly onFailed: (count: number) => void;
  /** Called with the number of active connections that IPVS counted and whose clients were not found. */
  readonly onSkipped: (count: number) => void;
}

/** How many steps of a kind were done, and failed. */
export type CleanupCounts = ReadonlyMap<CleanupStep, OperationCounts>;

const noCounts: CleanupCounts = new Map();

/**
 * Does the clean-up that deletions carry. For operations that it {@link concerns} call {@link close}, then {@link before}, then delete,
 * then {@link after}.
 */
export class Cleaner {
  readonly #options: CleanerOptions;
  #counts = new Map<CleanupStep, OperationCounts>();

  constructor(options: CleanerOptions) {
    this.#options = options;
  }

  /** Whether any of some operations carries a clean-up. */
  concerns(operations: readonly Operation[]): boolean {
    return operations.some(isClean);
  }

  /**
   * Closes the connections that IPVS would keep after the deletion of their real server: it would drop their clients' packets, even
   * those of new connections. Lets the event loop turn.
   */
  async close(operations: readonly Operation[]): Promise<void> {
    const deleted = operations.filter(isClean);
    const { clock, resetter, log } = this.#options;
    const yielder = new Yielder(() => clock.now());
    for (const { cleanup } of deleted) {
      for (const connection of cleanup.closing ?? []) {
        try {
          if (resetter.abort(connection)) this.#count('closeConnection', { done: 1 });
        } catch (error) {
          this.#count('closeConnection', { failed: 1 });
          log.error('could not close a connection of a real server that goes', error);
        }
        if (yielder.isDue) await yielder.yieldIfDue();
      }
    }
  }

  /** Carries out the steps right before the deletions. */
  before(operations: readonly Operation[]): void {
    const coming = operations.filter(isClean);
    this.#deleteFlows(coming.flatMap(({ cleanup }) => cleanup.flows.filter(isUnmasqueraded)));
  }

  /** Carries out the steps right after the deletions that succeeded. */
  after(operations: readonly Operation[]): void {
    const done = operations.filter(isClean);
    this.#deleteFlows(done.flatMap(({ cleanup }) => cleanup.flows));
    for (const deletion of done) this.#resetClients(deletion);
  }

  /** Counts of the steps since the last call. Clients count as reset once their reset is requested; it is sent a moment later. */
  takeCounts(): CleanupCounts {
    if (this.#counts.size === 0) return noCounts;
    const counts = this.#counts;
    this.#counts = new Map();
    return counts;
  }

  #count(step: CleanupStep, { done = 0, failed = 0 }: Partial<OperationCounts>): void {
    if (done + failed === 0) return;
    const counts = this.#counts.get(step) ?? { done: 0, failed: 0 };
    this.#counts.set(step, { done: counts.done + done, failed: counts.failed + failed });
  }

  #resetClients({ virtualServer, cleanup: { clients, closing } }: CleanDeletion): void {
    const { clientResetter, log, onFailed, onSkipped } = this.#options;
    const { count, waiting, missing } = clients;
    clientResetter.reset(waiting, { areClosed: closing !== undefined });
    this.#count('resetClient', { done: waiting.length });
    if (missing > 0) onSkipped(missing);
    if (waiting.length === count) return;
    onFailed(count - waiting.length);
    log.warn('clients of a deleted real server are not reset', {
      virtualServer: printVirtualServer(virtualServer),
      clients: count - waiting.length,
    });
  }

  #deleteFlows(flows: readonly Flow[]): void {
    if (flows.length === 0) return;
    try {
      // Without the id: a packet may have created the flow again, with another one.
      const done = this.#options.conntrack.delete(
        flows.map((flow) => ({ ...flow, id: undefined })),
      );
      this.#count('deleteFlow', { done });
    } catch (error) {
      this.#count('deleteFlow', { failed: flows.length });
      this.#options.log.error('could not delete the flows of real servers that go', error);
    }
  }
}

type Deletion = Extract<Operation, { kind: 'deleteRealServer' }>;
type CleanDeletion = Deletion & { readonly cleanup: Cleanup };

function isClean(operation: Operation): operation is CleanDeletion {
  return operation.kind === 'deleteRealServer' && operation.cleanup !== undefined;
}

/** Whether the real server sees the client's own address, that is, the flow is not masqueraded. */
function isUnmasqueraded({ original, reply }: Flow): boolean {
  return reply.destination === original.source;
}
