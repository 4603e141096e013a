import type { Family } from '../../ip/address.ts';
import type { EndpointSlice } from '../../kube/types.ts';

/** How many triggers wait for a sync at most; those that come after are not counted. */
const waitingLimit = 10_000;

/** What caused a slice to change. */
export interface Trigger {
  readonly family: Family;
  /** In milliseconds since 1970. */
  readonly time: number;
}

/**
 * What caused the changes of slices since they were last taken. A slice that comes again with the same cause adds nothing,
 * and neither does a cause from before the start: every slice is new to a program that has just started.
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

  /** Hands over what was noted since the last call. */
  take(): readonly Trigger[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }
}
