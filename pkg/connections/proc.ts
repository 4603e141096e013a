import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import type { ConnectionDump, IpvsConnection, IpvsConnections } from './connections.ts';
import { isHeading, parseConnection } from './parse.ts';

/** The size of one read. The kernel returns a page at a time, some 50 entries, so no read holds the event loop for long. */
const chunkSize = 16 * 1024; // bytes
/** Longer than any line of the kernel, with the data of any persistence engine. */
const longestLine = 1024; // characters
const operation = 'read the connections of IPVS';

/** Reads /proc/net/ip_vs_conn of the calling thread's network namespace, or another file in a test. */
export class ProcIpvsConnections implements IpvsConnections {
  readonly #file: string;

  constructor({ file = '/proc/thread-self/net/ip_vs_conn' }: { file?: string } = {}) {
    this.#file = file;
  }

  async dump(
    { limit }: { readonly limit: number },
    onConnection: (connection: IpvsConnection) => void,
  ): Promise<ConnectionDump> {
    let entries = 0;
    let unreadable = 0;
    for await (const lines of this.#chunks()) {
      for (const line of lines) {
        if (entries++ === limit) return { isWhole: false, unreadable };
        const connection = parseConnection(line);
        if (connection === undefined) unreadable++;
        else if (connection !== 'other') onConnection(connection);
      }
    }
    return { isWhole: true, unreadable };
  }

  /** The lines after the heading, as they are read. */
  async *#chunks(): AsyncGenerator<readonly string[]> {
    // On this thread, as other threads may be in another network namespace.
    const fd = attempt(() => openSync(this.#file, 'r'));
    try {
      const buffer = Buffer.alloc(chunkSize);
      let rest = '';
      let hasHeading = false;
      for (;;) {
        const length = attempt(() => readSync(fd, buffer));
        const lines = (rest + buffer.toString('latin1', 0, length)).split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > longestLine)
          throw new KernelError(operation, 'EINVAL', { detail: 'a line without end' });
        if (!hasHeading && lines.length > 0) {
          hasHeading = isHeading(lines.shift() ?? '');
          if (!hasHeading)
            throw new KernelError(operation, 'EINVAL', { detail: 'unknown heading' });
        }
        yield lines;
        if (length === 0) return;
        await setImmediate();
      }
    } finally {
      closeSync(fd);
    }
  }
}

function attempt<T>(action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    const errno = code.startsWith('E') ? (code as ErrnoCode) : 'EIO';
    throw new KernelError(operation, errno, { cause });
  }
}
