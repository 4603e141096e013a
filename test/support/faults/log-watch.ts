import { errorText } from '../../../pkg/log/error-text.ts';
import { loggerTo, type RootLogger } from '../../../pkg/log/log.ts';
import { RateLimit } from '../../../pkg/log/rate-limit.ts';
import type { LogRecord, LogSink } from '../../../pkg/log/record.ts';
import { type Clock, minutes } from '../../../pkg/runner/clock.ts';

/** Something that was said twice within a minute. */
export interface Repetition {
  readonly line: string;
  /** Milliseconds between the two. */
  readonly after: number;
}

/** How a log behaves. */
export interface WatchOptions {
  /** Called with each line: the sink throws if it returns true. */
  readonly breaks?: () => boolean;
  /** What the program's own log leaves out is left out. */
  readonly isLimited?: boolean;
}

/** A log that counts how often the same is said of the same object for the same cause. It keeps no more than one line of each. */
export class LogWatch {
  readonly log: RootLogger;
  readonly repetitions: Repetition[] = [];
  /** How many lines were written, whatever their detail. */
  lines = 0;
  /** How many of them were written without being asked for by `-v`. */
  unasked = 0;
  readonly #clock: Clock;
  readonly #last = new Map<string, number>();

  constructor(clock: Clock, { breaks = () => false, isLimited = false }: WatchOptions = {}) {
    this.#clock = clock;
    const take: LogSink = (record) => this.#take(record, breaks);
    const limit = new RateLimit(take, clock);
    const sink: LogSink = isLimited ? (record) => limit.write(record) : take;
    this.log = loggerTo(sink, { verbosity: 4, now: () => clock.now() });
  }

  /** Another program begins: a line that it logs for the first time is no repetition. */
  forget(): void {
    this.#last.clear();
  }

  #take(record: LogRecord, breaks: () => boolean): void {
    this.lines++;
    if (record.level === 0) this.#count(record);
    if (breaks()) throw new Error('the log is broken');
  }

  #count(record: LogRecord): void {
    this.unasked++;
    const line = subjectOf(record);
    const now = this.#clock.now();
    const last = this.#last.get(line);
    if (last !== undefined && now - last < minutes(1))
      this.repetitions.push({ line, after: now - last });
    this.#last.set(line, now);
  }
}

/** What a line speaks of, and why: the same text for the same object and cause. Numbers in fields make no other object. */
function subjectOf({ severity, message, error, fields }: LogRecord): string {
  const names = Object.entries(fields).filter(([, value]) => typeof value === 'string');
  const cause = error === undefined ? '' : `: ${errorText(error)}`;
  return `${severity} ${message}${cause} ${JSON.stringify(Object.fromEntries(names))}`;
}
