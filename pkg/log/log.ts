import { type Clock, systemClock } from '../runner/clock.ts';
import { LineBuffer, type WriteBytes } from './line-buffer.ts';
import { LogTail } from './log-tail.ts';
import { RateLimit } from './rate-limit.ts';
import type { LogRecord, LogSink } from './record.ts';
import { jsonSink, type LineWriter, textSink } from './sink.ts';
import { openStandardError } from './standard-error.ts';
import { wholeLine } from './text-line.ts';

/** How many times, and with which pause in milliseconds, the end of the program tries a slow reader. */
const lastTries = 20;
const lastPause = 10;

/** Details of a message: short values by name, `{ service: 'shop/cart', count: 3 }`. */
export type Fields = Readonly<Record<string, unknown>>;

/** Logs messages for people. Each message is one line. No method throws. */
export interface Logger {
  /**
   * This logger if messages of this verbosity are logged (`-v`), else undefined. So `log.v(4)?.info(…)` costs a comparison, and its
   * arguments are not evaluated, if they are not.
   */
  v(level: number): Logger | undefined;
  /** Logs normal operation. */
  info(message: string, fields?: Fields): void;
  /** Logs something that an operator may want to change. */
  warn(message: string, fields?: Fields): void;
  /** Logs an error with all its causes. */
  error(message: string, error?: unknown, fields?: Fields): void;
  /** The same logger with fields that are added to every message. */
  with(fields: Fields): Logger;
}

/** A logger whose verbosity can be changed. All loggers made from it follow. */
export interface RootLogger extends Logger {
  /** Changes the verbosity. */
  setVerbosity(level: number): void;
}

/** The log of the program. */
export interface ProgramLog extends RootLogger {
  /** How many lines were not written: left out by the rate limit, or dropped because the reader was slow. */
  lost(): { readonly leftOut: number; readonly dropped: number };
  /** The last lines that were logged, oldest first, each with its line end; absent where none are kept. */
  readonly tail?: () => string;
  /** Writes a last line, and waits a short time for a slow reader. */
  end(line?: string): void;
}

/** `--logging-format`: klog's text, or one JSON object a line. */
export type LogFormat = 'text' | 'json';

/** Makes the program's logger. It writes to standard error, limits the length and the rate of lines, and never waits for a reader. */
export function createLogger(options: {
  readonly format: LogFormat;
  readonly verbosity: number;
  /** Where lines are written; standard error by default. */
  readonly write?: WriteBytes;
  readonly clock?: Clock;
}): ProgramLog {
  const { format, verbosity, write = openStandardError(), clock = backgroundClock } = options;
  const onMissed = (count: number) => logger.warn('dropped log lines that nobody read', { count });
  const lines = new LineBuffer({ write, clock, onMissed });
  const tail = new LogTail();
  const output: LineWriter = {
    write(line) {
      tail.write(line);
      lines.write(line);
    },
  };
  const sink = format === 'json' ? jsonSink(output) : textSink(output);
  const rateLimit = new RateLimit(sink, clock);
  const logger = loggerTo((record) => rateLimit.write(record), {
    verbosity,
    now: () => clock.wallClock(),
  });
  return Object.assign(logger, {
    lost: () => ({ leftOut: rateLimit.leftOut, dropped: lines.dropped }),
    tail: () => tail.read(),
    end(line?: string) {
      waitForReader(lines);
      if (line === undefined) return;
      lines.write(wholeLine(line));
      waitForReader(lines);
    },
  });
}

/** Blocks the program while the reader is slow, for a bounded time. */
function waitForReader(lines: LineBuffer): void {
  for (let tries = 0; tries < lastTries && !lines.isEmpty; tries++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lastPause);
    lines.flush();
  }
}

/** The machine's clock with timers that do not keep the process alive. */
const backgroundClock: Clock = {
  ...systemClock,
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};

/** Makes a logger that passes its records to a sink. */
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
      // The error cannot be logged, and must not fail the caller.
    }
  }
}
