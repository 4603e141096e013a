import { inspect } from 'node:util';
import { errorText } from './error-text.ts';
import type { LogRecord } from './record.ts';

const letters = { info: 'I', warning: 'W', error: 'E' } as const;

/**
 * A record as klog prints it, so that what reads kube-proxy's log reads ours:
 * `I1121 12:00:00.000000       1 kube-proxy] "first sync done" services=3`.
 */
export function textLine({ severity, time, message, error, fields }: LogRecord): string {
  let line = `${letters[severity]}${timestamp(time)} ${String(process.pid).padStart(7)} kube-proxy] ${quote(message)}`;
  if (error !== undefined) line += ` err=${quote(errorText(error))}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${name}=${valueText(value)}`;
  }
  return `${line}\n`;
}

/** Month, day and local time, to the microsecond in form; the clock gives milliseconds. */
function timestamp(time: number): string {
  const date = new Date(time);
  const day = two(date.getMonth() + 1) + two(date.getDate());
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${clock}.${String(date.getMilliseconds()).padStart(3, '0')}000`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (value instanceof Error) return quote(errorText(value));
  return escapeControls(inspect(value, { breakLength: Number.POSITIVE_INFINITY, compact: true }));
}

/** In quotes and on one line, whatever it holds: names and messages come from strangers. */
function quote(text: string): string {
  return escapeControls(JSON.stringify(text));
}

/** JSON leaves these as they are, a terminal does not. */
function escapeControls(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
