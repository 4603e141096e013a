import type { ServiceStatus } from './report.ts';

/** What is not as it should be, counted. */
const kinds = {
  missing: 'missing in the kernel',
  unknown: 'not known after a failed write',
  lost: 'lost to another Service',
  failed: 'failed and tried again',
  unhonoured: 'not honoured',
} as const;

/** Counts, over all Services that were shown, what is not as it should be. */
export class Tally {
  readonly #counts = new Map<keyof typeof kinds, number>();
  #services = 0;

  /** How many Services were counted. */
  get services(): number {
    return this.#services;
  }

  /** Whether nothing is wrong. */
  get isWell(): boolean {
    return this.#counts.size === 0;
  }

  add({ virtualServers, failures, moreFailures, unhonoured, moreUnhonoured }: ServiceStatus): void {
    this.#services++;
    for (const { state, realServers } of virtualServers) {
      if (state === 'missing' || state === 'unknown' || state === 'lost') this.#count(state, 1);
      this.#count('missing', realServers.filter((one) => one.state === 'missing').length);
    }
    this.#count('failed', failures.length + moreFailures);
    this.#count('unhonoured', unhonoured.length + moreUnhonoured);
  }

  /** One sentence. */
  print(): string {
    if (this.isWell) return 'Everything that is shown is as it should be.';
    const parts = [...this.#counts].map(([kind, count]) => `${count} ${kinds[kind]}`);
    return `Not as it should be: ${parts.join(', ')}.`;
  }

  #count(kind: keyof typeof kinds, by: number): void {
    if (by > 0) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + by);
  }
}
