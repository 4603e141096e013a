import { type DestinationStream, destination, pino } from 'pino';
import { errorText } from './error-text.ts';
import type { LogSink } from './record.ts';
import { textLine } from './text-line.ts';

/** Writes klog's text lines, by default to standard error. */
export function textSink(output: DestinationStream = standardError()): LogSink {
  return (record) => output.write(textLine(record));
}

/** Writes JSON lines with Kubernetes' field names: `ts` (ms), `msg`, `v`, `err`. */
export function jsonSink(output: DestinationStream = standardError()): LogSink {
  const options = { base: null, timestamp: false, formatters: { level: severityField } };
  const lines = pino(options, output);
  return ({ severity, time, level, message, error, fields }) => {
    const line = {
      ts: time,
      v: level,
      ...fields,
      ...(error !== undefined && { err: errorText(error) }),
    };
    lines[severity === 'warning' ? 'warn' : severity](line, message);
  };
}

function severityField(label: string): { level: string } {
  return { level: label };
}

/** Synchronous, so that the last words before an end are heard. A reader that went away must not stop the program. */
function standardError(): DestinationStream {
  const output = destination({ fd: 2, sync: true });
  output.on('error', () => {});
  return output;
}
