import type { Clock } from '../runner/clock.ts';
import { ProgressBoard } from '../runner/progress.ts';
import { Yielder } from '../runner/yielder.ts';
import { Keys } from './desired/keys.ts';
import type { Parts } from './parts.ts';
import type { Reporter } from './reporter.ts';

type UsedParts = Pick<Parts, 'ledgerUpdater' | 'reconciler' | 'store'>;

/** Shows how far the first sync has come, step by step. */
export class FirstSyncProgress {
  readonly #parts: UsedParts;
  readonly #board: ProgressBoard;

  constructor(parts: UsedParts, board = new ProgressBoard()) {
    this.#parts = parts;
    this.#board = board;
  }

  /** Entering every Service in the ledger. */
  entering<Result>(work: () => Promise<Result>): Promise<Result> {
    const { ledgerUpdater, store } = this.#parts;
    const before = ledgerUpdater.enteredServices;
    const done = () => ledgerUpdater.enteredServices - before;
    return this.#board.during(
      { stage: 'first sync: entering Services', total: store.serviceCount, done },
      work,
    );
  }

  /** Reading the kernel by steps, each of which returns the keys that it compared, and the last one `undefined`. Returns all of them. */
  reading(
    next: () => Promise<Keys | undefined>,
    { clock, reporter }: { readonly clock: Clock; readonly reporter: Pick<Reporter, 'progressed'> },
  ): Promise<Keys> {
    const keys = new Keys();
    const yielder = new Yielder(() => clock.now());
    const stage = 'first sync: comparing objects with the kernel';
    return this.#board.during({ stage, done: () => keys.size }, async () => {
      for (let step = await next(); step !== undefined; step = await next()) {
        keys.take(step);
        reporter.progressed();
        await yielder.yieldIfDue();
      }
      return keys;
    });
  }

  /**
   * Planning for keys and carrying the plan out, part by part. Objects are counted, as the number of operations is not known before
   * the last part is planned.
   */
  writing<Result>(keys: Keys, work: () => Promise<Result>): Promise<Result> {
    const { reconciler } = this.#parts;
    const before = reconciler.carriedOut;
    const done = () => reconciler.carriedOut - before;
    const stage = 'first sync: writing objects to the kernel';
    return this.#board.during({ stage, total: keys.size, done }, work);
  }

  /** Waiting for the rules, and for the lock of iptables. */
  rules<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#board.during({ stage: 'first sync: waiting for rules' }, work);
  }
}
