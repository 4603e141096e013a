import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { WriteBytes } from './line-buffer.ts';

const standardError = 2;

/** Opens standard error so that writing never blocks: pipes, terminals and sockets take what they have room for. Files take everything. */
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
 * Opens a pipe or terminal again, because O_NONBLOCK belongs to the open file, which other programs share. A file is not opened
 * again, as that would write from its beginning.
 */
function nonBlocking(): number {
  const kind = fstatSync(standardError);
  if (kind.isFIFO() || kind.isCharacterDevice()) {
    try {
      const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
      return openSync(`/proc/self/fd/${standardError}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    } catch {
      // The pipe is another user's, or has no reader.
    }
  }
  if (kind.isFIFO() || kind.isSocket()) makeNonBlocking();
  return standardError;
}

/** Sets O_NONBLOCK: Node has no call for it, but sets it when it makes a stream. The stream is not used. */
function makeNonBlocking(): void {
  try {
    new Socket({ fd: standardError, readable: false, writable: true })
      .on('error', () => {})
      .unref();
  } catch {
    // Node makes no stream of this kind, which stays as it is.
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
