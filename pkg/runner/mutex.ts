/**
 * One piece of work at a time, in the order asked for: what reads and writes the kernel goes through it, so that
 * nothing is written while a dump is under way.
 */
export class Mutex {
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
