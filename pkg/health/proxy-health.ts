import type { Family } from '../ip/address.ts';
import type { Clock } from '../runner/clock.ts';
import { never, printTime } from './time.ts';

/** The answer to one question about the proxy's health. */
export interface HealthAnswer {
  readonly isOk: boolean;
  /** JSON, with the fields and their order of upstream's kube-proxy. */
  readonly body: string;
}

/** What is known of one family. Times are the clock's, in milliseconds. */
interface FamilyState {
  /** When the oldest change was queued that is not in the kernel yet. */
  oldest: number | undefined;
  latest: number;
  /** The wall clock at the last success. */
  updated: number | undefined;
}

/**
 * Whether the proxy keeps the kernel in step with the API, and whether load balancers should send packets here.
 *
 *     start ──────────── first sync done ──────────────────────────────
 *     healthz 503, readyz 503            │ 200 while no family is late
 *     livez 200 while batches advance    │ (healthz: and the node may be used)
 *
 * A family is late when a change of it has been waiting for twice the sync period.
 */
export class ProxyHealth {
  readonly #clock: Clock;
  readonly #patience: number;
  readonly #families = new Map<Family, FamilyState>();
  #isFirstSyncDone = false;
  /** When the first sync last showed that it lives; undefined while it waits for the API, however long. */
  #lastProgress: number | undefined;
  #isNodeEligible = false;

  /** `syncPeriod` in milliseconds. */
  constructor({ clock, syncPeriod }: { clock: Clock; syncPeriod: number }) {
    this.#clock = clock;
    this.#patience = 2 * syncPeriod;
  }

  /** Changes of some families wait to be carried out. */
  queued(families: readonly Family[]): void {
    const now = this.#clock.now();
    for (const family of families) {
      const state = this.#state(family);
      state.oldest ??= now;
      state.latest = now;
    }
  }

  /** A sync of some families succeeded; what was queued before it began, on the clock, is carried out. */
  updated(families: readonly Family[], began: number): void {
    for (const family of families) {
      const state = this.#state(family);
      if (state.latest <= began) state.oldest = undefined;
      else if (state.oldest !== undefined) state.oldest = Math.max(state.oldest, began);
      state.updated = this.#clock.wallClock();
    }
  }

  /** A part of a long sync is done. */
  progressed(): void {
    this.#lastProgress = this.#clock.now();
  }

  /** The kernel is right for the first time. */
  firstSyncDone(): void {
    this.#isFirstSyncDone = true;
  }

  /** The Node was seen: may load balancers send packets here? Until then they may not. */
  nodeSeen({ isEligible }: { isEligible: boolean }): void {
    this.#isNodeEligible = isEligible;
  }

  /** In step with the API, whatever becomes of the node. */
  get isHealthy(): boolean {
    return this.#isFirstSyncDone && this.#isInTime();
  }

  /** For load balancers: in step, and the node is not on its way out. */
  healthz(): HealthAnswer {
    const { isHealthy } = this;
    const nodeEligible = this.#isNodeEligible;
    return this.#answer(isHealthy && nodeEligible, { nodeEligible, healthy: isHealthy });
  }

  /** For whoever restarts what hangs. */
  livez(): HealthAnswer {
    const isHealthy = this.#isInTime();
    return this.#answer(isHealthy, { healthy: isHealthy });
  }

  /** For whoever waits for a new pod: in step. */
  readyz(): HealthAnswer {
    const { isHealthy } = this;
    return this.#answer(isHealthy, { healthy: isHealthy });
  }

  #state(family: Family): FamilyState {
    let state = this.#families.get(family);
    if (state === undefined) {
      state = { oldest: undefined, latest: Number.NEGATIVE_INFINITY, updated: undefined };
      this.#families.set(family, state);
    }
    return state;
  }

  #isInTime(): boolean {
    // A first sync may take longer than any later one: it is only late when it stands still.
    if (!this.#isFirstSyncDone) return this.#isRecent(this.#lastProgress);
    // A family that never reported a success is one that this node does not have.
    const known = [...this.#families.values()].filter(({ updated }) => updated !== undefined);
    return known.every(({ oldest }) => this.#isRecent(oldest));
  }

  #isRecent(time: number | undefined): boolean {
    return time === undefined || this.#clock.now() - time < this.#patience;
  }

  #answer(
    isOk: boolean,
    words: { readonly nodeEligible?: boolean; readonly healthy: boolean },
  ): HealthAnswer {
    const now = printTime(this.#clock.wallClock());
    const known = [...this.#families].filter(([, { updated }]) => updated !== undefined);
    const latest = Math.max(...known.map(([, { updated = 0 }]) => updated));
    const real = known.length === 0 ? never : printTime(latest);
    const status = known.map(([family, { updated = 0, oldest }]) => {
      const healthy = this.#isRecent(oldest);
      return [family, { lastUpdated: printTime(updated), healthy }] as const;
    });
    const body = {
      lastUpdated: isOk ? now : real,
      currentTime: now,
      ...words,
      status: Object.fromEntries(status.toSorted(([one], [other]) => (one < other ? -1 : 1))),
    };
    return { isOk, body: JSON.stringify(body) };
  }
}
