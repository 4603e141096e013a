import { type Clock, minutes } from '../../runner/clock.ts';

/** How long no streaming list is tried with a server that cannot do it. */
const memory = minutes(10);

/** Whether the server supports streaming lists. Shared by all reflectors of a server. */
export class StreamingSupport {
  readonly #clock: Clock;
  #avoidUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a streaming list should be tried. */
  isExpected(): boolean {
    return this.#clock.now() >= this.#avoidUntil;
  }

  /** Records that a streaming list failed. */
  avoid(): void {
    this.#avoidUntil = this.#clock.now() + memory;
  }
}
