import type { Family } from '../../ip/address.ts';
import type { EndpointSlice } from '../../kube/types.ts';

/** How many causes wait for a sync at most; more are dropped. */
const waitingLimit = 10_000;

/** The cause of a change of a slice. */
export interface Trigger {
  readonly family: Family;
  /** In milliseconds since 1970. */
  readonly time: number;
}

/**
 * The causes of changes of slices since the last call of {@link take}. A slice that comes again with the same cause adds nothing.
 * Causes from before the start do not count, as every slice is new then.
 */
export class Triggers {
  readonly #startTime: number;
  #waiting: Trigger[] = [];

  /** @param startTime in milliseconds since 1970 */
  constructor(startTime: number) {
    this.#startTime = startTime;
  }

  /** Notes the cause of a change from `last` to `slice`. */
  note(slice: EndpointSlice, last: EndpointSlice | undefined): void {
    const { family, triggerTime: time } = slice;
    if (time <= this.#startTime || time === last?.triggerTime) return;
    if (this.#waiting.length >= waitingLimit) return;
    this.#waiting.push({ family, time });
  }

  /** Returns the causes since the last call. */
  take(): readonly Trigger[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }
}
