import type { Reporter, SyncReport } from '../proxy/reporter.ts';
import { type Clock, minutes } from '../runner/clock.ts';
import type { MinuteStatus, SyncStatus } from './report.ts';

/** How many syncs are remembered one by one, and for how many minutes sums are. */
const syncLimit = 50;
const minuteLimit = 60;
/** How many repairs of a minute are remembered as text, and how many characters of each. */
const exampleLimit = 5;
const longestExample = 300;

interface Sync extends Omit<SyncStatus, 'time'> {
  /** Milliseconds since 1970, when it ended. */
  readonly end: number;
}

interface Minute {
  /** Its number since 1970. */
  readonly number: number;
  syncs: number;
  failedSyncs: number;
  milliseconds: number;
  longest: number;
  readonly repairs: Map<string, number>;
  readonly examples: string[];
}

/** What the proxier reported lately: its syncs, and the drift that it repaired. It takes the same memory however much happens. */
export class History implements Pick<Reporter, 'synced' | 'repaired'> {
  readonly #clock: Pick<Clock, 'wallClock'>;
  /** The oldest first. */
  readonly #syncs: Sync[] = [];
  readonly #minutes: Minute[] = [];

  constructor(clock: Pick<Clock, 'wallClock'>) {
    this.#clock = clock;
  }

  /** Remembers a sync that ended now, unless it found nothing to do: an audit has many of these in between. */
  synced({ kind, families, milliseconds, isSuccess }: SyncReport): void {
    if (families.length === 0 && isSuccess) return;
    const minute = this.#minute();
    minute.syncs++;
    if (!isSuccess) minute.failedSyncs++;
    minute.milliseconds += milliseconds;
    minute.longest = Math.max(minute.longest, milliseconds);
    this.#syncs.push({ end: this.#clock.wallClock(), kind, milliseconds, isSuccess });
    if (this.#syncs.length > syncLimit) this.#syncs.shift();
  }

  /** Remembers a difference in the kernel that was repaired now. */
  repaired(kind: string, operation: string): void {
    const { repairs, examples } = this.#minute();
    repairs.set(kind, (repairs.get(kind) ?? 0) + 1);
    if (examples.length < exampleLimit) examples.push(operation.slice(0, longestExample));
  }

  /** The last syncs, the youngest first. */
  get syncs(): readonly SyncStatus[] {
    return this.#syncs.toReversed().map(({ end, kind, milliseconds, isSuccess }) => ({
      time: new Date(end).toISOString(),
      kind,
      milliseconds: rounded(milliseconds),
      isSuccess,
    }));
  }

  /** The minutes of the last hour in which something happened, the oldest first. */
  get minutes(): readonly MinuteStatus[] {
    const oldest = this.#now - minuteLimit;
    return this.#minutes
      .filter(({ number }) => number > oldest)
      .map(({ number, milliseconds, longest, repairs, ...minute }) => ({
        time: new Date(number * minutes(1)).toISOString(),
        ...minute,
        milliseconds: rounded(milliseconds),
        longest: rounded(longest),
        repairs: Object.fromEntries(repairs),
      }));
  }

  get #now(): number {
    return Math.floor(this.#clock.wallClock() / minutes(1));
  }

  /** The sums of the present minute. A clock that was set back by a moment goes on with the last one. */
  #minute(): Minute {
    const number = this.#now;
    const last = this.#minutes.at(-1);
    if (last !== undefined && last.number > number + 1) this.#minutes.length = 0;
    else if (last !== undefined && last.number >= number) return last;
    const sums = { syncs: 0, failedSyncs: 0, milliseconds: 0, longest: 0 };
    const minute = { number, ...sums, repairs: new Map<string, number>(), examples: [] };
    this.#minutes.push(minute);
    if (this.#minutes.length > minuteLimit) this.#minutes.shift();
    return minute;
  }
}

/** Milliseconds with two digits behind the point. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
