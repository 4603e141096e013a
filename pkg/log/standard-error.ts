import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { WriteBytes } from './line-buffer.ts';

const standardError = 2;

/**
 * Opens standard error so that a reader that does not read never holds the program: pipes, terminals and sockets take what
 * they have room for. Files take everything.
 */
export function openStandardError(): WriteBytes {
  const fd = nonBlocking();
  return (bytes) => {
    try {
      return writeSync(fd, bytes);
    } catch (error) {
      if (isFull(error)) return 0;
      throw error;
    }
  };
}

/**
 * A pipe or a terminal is opened once more: O_NONBLOCK belongs to the open file, which other programs share that write
 * to the same place. A file is not: the second would begin at its start.
 */
function nonBlocking(): number {
  const kind = fstatSync(standardError);
  if (kind.isFIFO() || kind.isCharacterDevice()) {
    try {
      const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
      return openSync(`/proc/self/fd/${standardError}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    } catch {
      // The pipe is another user's, or nobody reads it.
    }
  }
  if (kind.isFIFO() || kind.isSocket()) makeNonBlocking();
  return standardError;
}

/** Node has no call for O_NONBLOCK, but sets it on what it makes a stream of. The stream itself is not used. */
function makeNonBlocking(): void {
  try {
    new Socket({ fd: standardError, readable: false, writable: true })
      .on('error', () => {})
      .unref();
  } catch {
    // A kind that Node makes no stream of stays as it is.
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
