import { seconds } from '../../runner/clock.ts';

/** How long a Service that failed waits at first and at most, in milliseconds. */
const shortest = seconds(0.5);
const longest = seconds(30);

interface Failure {
  attempts: number;
  due: number;
  message: string;
}

/** Which Services have to be entered: those that changed, and those that failed and whose pause is over. */
export class ServiceQueue {
  readonly #changed = new Set<string>();
  readonly #failures = new Map<string, Failure>();
  #nextRetry = Number.POSITIVE_INFINITY;

  /** Whether some changed that are not taken yet. */
  get hasChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** How many Services could not be entered as they are now. */
  get failedCount(): number {
    return this.#failures.size;
  }

  /** When the next one that failed is due, or `undefined` if none is. */
  get nextRetry(): number | undefined {
    return this.#nextRetry === Number.POSITIVE_INFINITY ? undefined : this.#nextRetry;
  }

  add(services: Iterable<string>): void {
    for (const service of services) this.#changed.add(service);
  }

  /** Those that are due, but not those that are excluded: they stay. */
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

  /** A Service was entered. */
  succeeded(service: string): void {
    this.#failures.delete(service);
    if (this.#failures.size === 0) this.#nextRetry = Number.POSITIVE_INFINITY;
  }

  /** A Service could not be entered, and is to be tried again after a pause. False if the last attempt failed with the same words. */
  failed(service: string, { message, now }: { message: string; now: number }): boolean {
    const last = this.#failures.get(service);
    const attempts = (last?.attempts ?? 0) + 1;
    const due = now + Math.min(longest, shortest * 2 ** (attempts - 1));
    this.#failures.set(service, { attempts, due, message });
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
