import type { Family } from '../ip/address.ts';
import type { Clock } from '../runner/clock.ts';
import { never, printTime } from './time.ts';

/** The answer of a health endpoint. */
export interface HealthAnswer {
  readonly isOk: boolean;
  /** JSON with upstream's fields in upstream's order. */
  readonly body: string;
}

/** The state of one family. Times are the clock's, in milliseconds. */
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
  /** When the first sync last made progress; undefined while it waits for the API, which may take any time. */
  #lastProgress: number | undefined;
  #isNodeEligible = false;

  /** `syncPeriod` in milliseconds. */
  constructor({ clock, syncPeriod }: { clock: Clock; syncPeriod: number }) {
    this.#clock = clock;
    this.#patience = 2 * syncPeriod;
  }

  /** Records that changes of some families wait for a sync. */
  queued(families: readonly Family[]): void {
    const now = this.#clock.now();
    for (const family of families) {
      const state = this.#state(family);
      state.oldest ??= now;
      state.latest = now;
    }
  }

  /** Records that a sync of some families succeeded. It covers what was queued before it began. */
  updated(families: readonly Family[], began: number): void {
    for (const family of families) {
      const state = this.#state(family);
      if (state.latest <= began) state.oldest = undefined;
      else if (state.oldest !== undefined) state.oldest = Math.max(state.oldest, began);
      state.updated = this.#clock.wallClock();
    }
  }

  /** Records that a part of a long sync is done. */
  progressed(): void {
    this.#lastProgress = this.#clock.now();
  }

  /** Records that the first sync is done. */
  firstSyncDone(): void {
    this.#isFirstSyncDone = true;
  }

  /** Records whether load balancers may send packets to this node. Until the first call they may not. */
  nodeSeen({ isEligible }: { isEligible: boolean }): void {
    this.#isNodeEligible = isEligible;
  }

  /** Whether the kernel is up to date, whatever the state of the Node. */
  get isHealthy(): boolean {
    return this.#isFirstSyncDone && this.#isInTime();
  }

  /** For load balancers: the kernel is up to date, and the Node is eligible. */
  healthz(): HealthAnswer {
    const { isHealthy } = this;
    const nodeEligible = this.#isNodeEligible;
    return this.#answer(isHealthy && nodeEligible, { nodeEligible, healthy: isHealthy });
  }

  /** For the kubelet's liveness probe: the proxy makes progress. */
  livez(): HealthAnswer {
    const isHealthy = this.#isInTime();
    return this.#answer(isHealthy, { healthy: isHealthy });
  }

  /** For the kubelet's readiness probe: the kernel is up to date. */
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
    // A first sync may take longer than any later one, so it is late only if it makes no progress.
    if (!this.#isFirstSyncDone) return this.#isRecent(this.#lastProgress);
    // A family that never reported a success is not served on this node.
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
