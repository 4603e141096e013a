/** How long work may hold the event loop, in milliseconds. */
const longest = 8;

/** Lets the event loop turn when work has held it for some time, as health checks and watches wait for it. */
export class Yielder {
  readonly #now: () => number;
  #since: number;
  #asked = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** Whether the event loop should turn. Asking is cheaper than an `await` in a loop of short steps. */
  get isDue(): boolean {
    return this.isDueAt(this.#now());
  }

  /** The same at a time of the clock that is known already. */
  isDueAt(now: number): boolean {
    return now - this.#since >= longest;
  }

  /** The same for steps of a microsecond or two: looks at the clock once in sixteen times, as that costs as much as such a step. */
  get isDueAmongMany(): boolean {
    return (++this.#asked & 15) === 0 && this.isDue;
  }

  /** Lets the event loop turn if it is due; otherwise returns `undefined`. */
  yieldIfDue(): Promise<void> | undefined {
    return this.isDue ? this.#yield() : undefined;
  }

  async #yield(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#since = this.#now();
  }
}
