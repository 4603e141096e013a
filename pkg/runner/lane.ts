/**
 * One piece of work at a time, in the order asked for: what reads and writes the kernel goes through it, so that
 * nothing is written while a dump is under way.
 */
export class Lane {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** How many pieces of work run or wait. */
  get length(): number {
    return this.#waiting;
  }

  /** Runs the work when everything asked for before has ended, and gives back what it gives back or throws. */
  async run<T>(work: () => Promise<T> | T): Promise<T> {
    this.#waiting++;
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }
}

/** How long work may go on before others get a turn, in milliseconds. */
const longest = 8;

/** Lets the event loop turn, if this one has been at work for some time: health answers and watches wait for it. */
export class Breather {
  readonly #now: () => number;
  #since: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** Whether the event loop should turn: asking costs less than an `await` in a loop of many short steps. */
  get isDue(): boolean {
    return this.#now() - this.#since >= longest;
  }

  async breathe(): Promise<void> {
    if (!this.isDue) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#since = this.#now();
  }
}
