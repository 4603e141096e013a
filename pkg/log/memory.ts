import { errorText } from './error-text.ts';
import { type Logger, loggerTo, type RootLogger } from './log.ts';
import type { LogRecord } from './record.ts';

/** A logger for tests that records everything. */
export type RecordingLogger = RootLogger & {
  /** All records, oldest first. */
  readonly records: readonly LogRecord[];
  /** The records as text without times: `error could not sync: ENOENT {"service":"shop/cart"}`. */
  lines(): string[];
};

/** Makes a recording logger. It records every verbosity by default. */
export function recordingLogger({ verbosity = 10 } = {}): RecordingLogger {
  const records: LogRecord[] = [];
  const logger = loggerTo((record) => records.push(record), { verbosity, now: () => 0 });
  return Object.assign(logger, { records, lines: () => records.map(line) });
}

/** A logger that logs nothing. */
export const silentLogger: Logger = loggerTo(() => {}, { verbosity: -1 });

function line({ severity, message, error, fields }: LogRecord): string {
  const cause = error === undefined ? '' : `: ${errorText(error)}`;
  const details = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
  return `${severity} ${message}${cause}${details}`;
}
