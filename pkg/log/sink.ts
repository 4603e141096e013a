import { pino } from 'pino';
import { errorText, inspectBriefly } from './error-text.ts';
import type { LogRecord, LogSink } from './record.ts';
import { shorten } from './shorten.ts';
import { longestLine, textLine } from './text-line.ts';

/** Receives whole lines with their line ends. */
export interface LineWriter {
  write(line: string): void;
}

/** How many UTF-16 units of a text are written in JSON, and how many if the line is too long with that. */
const longestText = { usual: 2000, least: 200 };

/** Writes lines in klog's text format. */
export function textSink(output: LineWriter): LogSink {
  return (record) => output.write(textLine(record));
}

/** Writes JSON lines with Kubernetes' field names: `ts` (ms), `msg`, `v`, `err`. A line that is too long is written without its fields. */
export function jsonSink(output: LineWriter): LogSink {
  let line = '';
  const options = { base: null, timestamp: false, formatters: { level: severityField } };
  const lines = pino(options, { write: (text: string) => void (line = text) });
  const print = (record: LogRecord, limit: number) => {
    const { severity, message } = record;
    lines[severity === 'warning' ? 'warn' : severity](
      jsonFields(record, limit),
      shorten(message, limit),
    );
    return line;
  };
  return (record) => {
    const text = print(record, longestText.usual);
    const isShort = Buffer.byteLength(text) <= longestLine;
    output.write(isShort ? text : print({ ...record, fields: {} }, longestText.least));
  };
}

function jsonFields({ time, level, fields, error }: LogRecord, limit: number): object {
  const values = Object.entries(fields).map(([name, value]) => [name, jsonValue(value, limit)]);
  const err = error === undefined ? {} : { err: shorten(errorText(error), limit) };
  return { ts: time, v: level, ...(Object.fromEntries(values) as object), ...err };
}

function jsonValue(value: unknown, limit: number): unknown {
  if (typeof value === 'string') return shorten(value, limit);
  if (value instanceof Error) return shorten(errorText(value), limit);
  return typeof value === 'object' && value !== null
    ? shorten(inspectBriefly(value), limit)
    : value;
}

function severityField(label: string): { level: string } {
  return { level: label };
}
