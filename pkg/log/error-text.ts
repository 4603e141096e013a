import { inspect } from 'node:util';
import { shorten } from './shorten.ts';

const deepestCause = 8;
/** How many errors of an AggregateError are printed. */
const mostErrors = 5;
/** How many members of a value are printed. */
const mostMembers = 20;
/** The longest text of an error, in UTF-16 units, as programs, servers and files may send any length. */
const longestText = 2000;

/**
 * An error and its causes in one sentence, outermost first: `sync failed: add real server 10.0.0.7:80: ENOENT`. An error of the
 * code itself (a TypeError and the like) has the place where it was thrown. Long texts are cut.
 */
export function errorText(error: unknown): string {
  return textOf(error, deepestCause);
}

function textOf(error: unknown, depth: number): string {
  const parts: string[] = [];
  let cause = error;
  for (let left = depth; left > 0 && cause !== undefined; left--) {
    const part = shorten(ownText(cause, left), longestText);
    // Some errors repeat the text of their cause: once is enough.
    if (!parts.some((earlier) => earlier.includes(part))) parts.push(part);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return shorten(parts.join(': '), longestText);
}

function ownText(error: unknown, depth: number): string {
  if (error instanceof AggregateError) return severalTexts(error, depth);
  if (isBug(error)) return `${error.name}: ${shorten(error.message, longestText)}${place(error)}`;
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  return typeof error === 'string' ? error : inspectBriefly(error);
}

function severalTexts({ message, errors }: AggregateError, depth: number): string {
  const texts = errors.slice(0, mostErrors).map((error) => textOf(error, depth - 1));
  if (errors.length > mostErrors) texts.push(`and ${errors.length - mostErrors} more`);
  const all = texts.filter((text) => text !== '').join('; ');
  return message === '' ? all : `${message}: ${all}`;
}

/** A value in one line, without nested values of nested values, and cut if it is large. */
export function inspectBriefly(value: unknown): string {
  const options = { depth: 0, maxArrayLength: mostMembers, maxStringLength: 200 };
  const line = { breakLength: Number.POSITIVE_INFINITY, compact: true };
  return inspect(isPlain(value) ? firstMembers(value) : value, { ...options, ...line });
}

function isPlain(value: unknown): value is object {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

/** The object, or a copy with its first members: `inspect` has a limit for arrays only. */
function firstMembers(value: object): object {
  const members = Object.entries(value);
  if (members.length <= mostMembers) return value;
  return Object.fromEntries(members.slice(0, mostMembers));
}

function isBug(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof ReferenceError;
}

function place(error: Error): string {
  const line = error.stack?.split('\n').find((text) => text.trimStart().startsWith('at '));
  return line === undefined ? '' : ` (${line.trim()})`;
}
