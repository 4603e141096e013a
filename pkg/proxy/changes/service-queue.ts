import { seconds } from '../../runner/clock.ts';

/** The shortest and the longest pause before a Service that failed is tried again, in milliseconds. */
const shortest = seconds(0.5);
const longest = seconds(30);

/** Why a Service could not be entered, since when, and when it is tried again. Times are milliseconds of the clock. */
export interface ServiceFailure {
  readonly message: string;
  readonly since: number;
  readonly due: number;
}

interface Failure extends ServiceFailure {
  readonly attempts: number;
}

/** The Services to enter: those that changed, and those that failed and whose pause is over. */
export class ServiceQueue {
  #changed = new Set<string>();
  readonly #failures = new Map<string, Failure>();
  #nextRetry = Number.POSITIVE_INFINITY;
  #settledCount = 0;

  /** Whether Services that changed wait to be taken. */
  get hasChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** How many Services failed and wait to be tried again. */
  get failedCount(): number {
    return this.#failures.size;
  }

  /** How many times a Service was entered or failed. */
  get settledCount(): number {
    return this.#settledCount;
  }

  /** When the next Service that failed is due, or `undefined` if none is. */
  get nextRetry(): number | undefined {
    return this.#nextRetry === Number.POSITIVE_INFINITY ? undefined : this.#nextRetry;
  }

  add(services: ReadonlySet<string>): void {
    // All Services at once, as at a start: a set is copied as a whole faster than one by one.
    if (this.#changed.size === 0) this.#changed = new Set(services);
    else services.forEach((service) => this.#changed.add(service));
  }

  /** Takes the Services that are due. Those that are excluded stay. */
  takeDue(now: number, excluded: Pick<ReadonlySet<string>, 'has'>): readonly string[] {
    if (now >= this.#nextRetry) this.#takeRetries(now);
    const due: string[] = [];
    this.#changed.forEach((service) => {
      if (!excluded.has(service)) due.push(service);
    });
    if (due.length === this.#changed.size) this.#changed.clear();
    else for (const service of due) this.#changed.delete(service);
    return due;
  }

  /** The last failure of a Service; `undefined` if it was entered since, or never failed. */
  failure(service: string): ServiceFailure | undefined {
    return this.#failures.get(service);
  }

  /** Records that a Service was entered. */
  succeeded(service: string): void {
    this.#settledCount++;
    this.#failures.delete(service);
    if (this.#failures.size === 0) this.#nextRetry = Number.POSITIVE_INFINITY;
  }

  /** Records that a Service could not be entered; it is due again after a pause. False if the last attempt failed with the same message. */
  failed(service: string, { message, now }: { message: string; now: number }): boolean {
    this.#settledCount++;
    const last = this.#failures.get(service);
    const attempts = (last?.attempts ?? 0) + 1;
    const due = now + Math.min(longest, shortest * 2 ** (attempts - 1));
    this.#failures.set(service, { attempts, due, message, since: last?.since ?? now });
    this.#nextRetry = Math.min(this.#nextRetry, due);
    return last?.message !== message;
  }

  #takeRetries(now: number): void {
    this.#nextRetry = Number.POSITIVE_INFINITY;
    for (const [service, { due }] of this.#failures) {
      if (due <= now) this.#changed.add(service);
      else this.#nextRetry = Math.min(this.#nextRetry, due);
    }
  }
}
