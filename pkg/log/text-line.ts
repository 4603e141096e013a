import { errorText, inspectBriefly } from './error-text.ts';
import type { LogRecord } from './record.ts';
import { shorten } from './shorten.ts';

/** The longest line in bytes: PIPE_BUF. A pipe takes a line of this length whole or not at all, so lines of several writers are not mixed. */
export const longestLine = 4096;
/** How many UTF-16 units of a message and of each value are printed. */
const longestText = 2000;

const letters = { info: 'I', warning: 'W', error: 'E' } as const;

/**
 * A record in klog's format, which readers of kube-proxy's log expect: `I1121 12:00:00.000000       1 kube-proxy] "first sync done"
 * services=3`. A line that is too long is cut and ends in ….
 */
export function textLine(record: LogRecord): string {
  const head = `${letters[record.severity]}${timestamp(record.time)} ${String(process.pid).padStart(7)} kube-proxy]`;
  return wholeLine(`${head} ${recordText(record)}`);
}

/** A text as a line with its line end, cut if it is too long. */
export function wholeLine(text: string): string {
  return `${firstBytes(text, longestLine - 1)}\n`;
}

/** The text of a record without its time and severity. Equal for equal messages. */
export function recordText({ message, error, fields }: LogRecord): string {
  let text = quote(message);
  if (error !== undefined) text += ` err=${quote(errorText(error))}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) text += ` ${name}=${valueText(value)}`;
  }
  return text;
}

/** Month, day and local time. It has six decimals as in klog, though the clock has milliseconds. */
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
  return escapeControls(shorten(inspectBriefly(value), longestText));
}

/** Quotes an untrusted text so that it stays in one line. */
function quote(text: string): string {
  return escapeControls(JSON.stringify(shorten(text, longestText)));
}

/** Escapes characters that JSON leaves as they are and a terminal interprets. */
function escapeControls(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function firstBytes(text: string, limit: number): string {
  if (text.length <= limit / 3 || Buffer.byteLength(text) <= limit) return text;
  // A character that would be cut in half is left out.
  const { read } = new TextEncoder().encodeInto(
    text,
    new Uint8Array(limit - Buffer.byteLength('…')),
  );
  return `${text.slice(0, read)}…`;
}
