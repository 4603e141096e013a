import { type Clock, minutes } from '../../runner/clock.ts';

/** How long a server that cannot stream a list is not asked to again. */
const memory = minutes(10);

/** Whether the server gives initial lists as a stream; shared by all reflectors of one server. */
export class StreamingSupport {
  readonly #clock: Clock;
  #avoidUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it is worth a try. */
  isExpected(): boolean {
    return this.#clock.now() >= this.#avoidUntil;
  }

  /** Remembers that it cannot. */
  avoid(): void {
    this.#avoidUntil = this.#clock.now() + memory;
  }
}
