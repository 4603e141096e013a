import { type Clock, systemClock } from '../runner/clock.ts';
import { LineBuffer, type WriteBytes } from './line-buffer.ts';
import { RateLimit } from './rate-limit.ts';
import type { LogRecord, LogSink } from './record.ts';
import { jsonSink, textSink } from './sink.ts';
import { openStandardError } from './standard-error.ts';
import { wholeLine } from './text-line.ts';

/** How long the end waits for a reader: so often, so many milliseconds. */
const lastTries = 20;
const lastPause = 10;

/** What a message speaks of: short values under names, `{ service: 'shop/cart', count: 3 }`. */
export type Fields = Readonly<Record<string, unknown>>;

/** Where the program tells people what it does. One message is one line. Nothing here throws. */
export interface Logger {
  /**
   * This logger if messages of such detail are wanted (`-v`), else undefined: `log.v(4)?.info(…)` costs a comparison, and its
   * arguments are not computed, when they are not.
   */
  v(level: number): Logger | undefined;
  /** Tells what went as it should. */
  info(message: string, fields?: Fields): void;
  /** Tells what somebody may want to change. */
  warn(message: string, fields?: Fields): void;
  /** Tells what went wrong, with the error and all its causes. */
  error(message: string, error?: unknown, fields?: Fields): void;
  /** The same logger with fields that every message repeats. */
  with(fields: Fields): Logger;
}

/** A logger whose level of detail can be changed while it runs; all loggers made from it follow. */
export interface RootLogger extends Logger {
  /** Wants messages up to this level from now on. */
  setVerbosity(level: number): void;
}

/** The log of the program. */
export interface ProgramLog extends RootLogger {
  /** How many lines nobody got to read: too many of one kind came, or the reader was too slow. */
  lost(): { readonly leftOut: number; readonly dropped: number };
  /** Writes one last line, and waits a moment for a reader that is slow. */
  end(line?: string): void;
}

/** `--logging-format`: klog's text, or one JSON object a line. */
export type LogFormat = 'text' | 'json';

/**
 * Makes the program's logger. It writes to standard error, at once where the reader takes it, and never waits for
 * a reader; lines have a limit, and so has their rate.
 */
export function createLogger(options: {
  readonly format: LogFormat;
  readonly verbosity: number;
  /** Where lines go; standard error if absent. */
  readonly write?: WriteBytes;
  readonly clock?: Clock;
}): ProgramLog {
  const { format, verbosity, write = openStandardError(), clock = backgroundClock } = options;
  const onMissed = (count: number) => logger.warn('dropped log lines that nobody read', { count });
  const lines = new LineBuffer({ write, clock, onMissed });
  const sink = format === 'json' ? jsonSink(lines) : textSink(lines);
  const rateLimit = new RateLimit(sink, clock);
  const logger = loggerTo((record) => rateLimit.write(record), {
    verbosity,
    now: () => clock.wallClock(),
  });
  return Object.assign(logger, {
    lost: () => ({ leftOut: rateLimit.leftOut, dropped: lines.dropped }),
    end(line?: string) {
      waitForReader(lines);
      if (line === undefined) return;
      lines.write(wholeLine(line));
      waitForReader(lines);
    },
  });
}

/** Stops everything for as long as a reader is slow, but not for longer than a moment. */
function waitForReader(lines: LineBuffer): void {
  for (let tries = 0; tries < lastTries && !lines.isEmpty; tries++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lastPause);
    lines.flush();
  }
}

/** The machine's clock; what waits keeps nobody from ending. */
const backgroundClock: Clock = {
  ...systemClock,
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};

/** Makes a logger that hands its records to a sink. */
export function loggerTo(
  sink: LogSink,
  options: { verbosity: number; now?: () => number },
): RootLogger {
  return new SinkLogger({ sink, now: options.now ?? Date.now, verbosity: options.verbosity });
}

/** What all loggers of one root share. */
type Shared = { readonly sink: LogSink; readonly now: () => number; verbosity: number };

class SinkLogger implements RootLogger {
  readonly #shared: Shared;
  readonly #fields: Fields | undefined;
  readonly #level: number;

  constructor(shared: Shared, own: { fields?: Fields | undefined; level?: number } = {}) {
    this.#shared = shared;
    this.#fields = own.fields;
    this.#level = own.level ?? 0;
  }

  setVerbosity(level: number): void {
    this.#shared.verbosity = level;
  }

  v(level: number): Logger | undefined {
    if (level > this.#shared.verbosity) return undefined;
    if (level === this.#level) return this;
    return new SinkLogger(this.#shared, { fields: this.#fields, level });
  }

  with(fields: Fields): Logger {
    return new SinkLogger(this.#shared, { fields: this.#join(fields), level: this.#level });
  }

  info(message: string, fields?: Fields): void {
    this.#write({ severity: 'info', message, fields: this.#join(fields) });
  }

  warn(message: string, fields?: Fields): void {
    this.#write({ severity: 'warning', message, fields: this.#join(fields) });
  }

  error(message: string, error?: unknown, fields?: Fields): void {
    this.#write({ severity: 'error', message, error, fields: this.#join(fields) });
  }

  #join(fields: Fields | undefined): Fields {
    return this.#fields === undefined ? (fields ?? {}) : { ...this.#fields, ...fields };
  }

  #write(record: Omit<LogRecord, 'time' | 'level'>): void {
    try {
      this.#shared.sink({ ...record, time: this.#shared.now(), level: this.#level });
    } catch {
      // There is nowhere left to say it, and whoever said this must not fail for that.
    }
  }
}
