/** A log message before it is formatted. */
export type LogRecord = {
  readonly severity: 'info' | 'warning' | 'error';
  readonly time: number; // ms since the epoch
  readonly level: number; // the detail it was logged at, 0 is always wanted
  readonly message: string;
  readonly error?: unknown;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** Receives records. */
export type LogSink = (record: LogRecord) => void;
