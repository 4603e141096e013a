import { inspect } from 'node:util';

const deepestCause = 8;

/**
 * An error and its causes in one sentence, outermost first: `sync failed: add real server 10.0.0.7:80: ENOENT`.
 * An error of ours in the code (a TypeError and its kin) says where it happened, for nobody expected it.
 */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  let cause = error;
  for (let depth = 0; depth < deepestCause && cause !== undefined; depth++) {
    const part = ownText(cause);
    // Some wrap an error by repeating its words: said once is enough.
    if (!parts.some((earlier) => earlier.includes(part))) parts.push(part);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return parts.join(': ');
}

function ownText(error: unknown): string {
  if (error instanceof AggregateError) {
    const all = error.errors.map(errorText).join('; ');
    return error.message === '' ? all : `${error.message}: ${all}`;
  }
  if (isBug(error)) return `${error.name}: ${error.message}${place(error)}`;
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  return typeof error === 'string'
    ? error
    : inspect(error, { breakLength: Number.POSITIVE_INFINITY });
}

function isBug(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof ReferenceError;
}

function place(error: Error): string {
  const line = error.stack?.split('\n').find((text) => text.trimStart().startsWith('at '));
  return line === undefined ? '' : ` (${line.trim()})`;
}
