import { spawn } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import { KernelError } from '../errno/errno.ts';

/** The exit of a process and its output. */
export interface ProcessResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of a process. */
export interface ProcessOptions {
  /** Written to its standard input, which is then closed. */
  readonly input?: string;
  /** Milliseconds after which it is killed. */
  readonly timeout: number;
  /** How many bytes it may print on each output; {@link outputLimit} by default. */
  readonly limit?: number;
}

/** How many bytes a program may print on one output. 100,000 rules of other programs take some 20 MiB. */
const outputLimit = 256 * 1024 * 1024;

/**
 * Runs a program until it exits. Throws ENOENT if there is none of that name, ETIMEDOUT if it was killed for time, EMSGSIZE if it
 * was killed because it printed more than the limit.
 */
export type RunProcess = (
  command: string,
  parameters: readonly string[],
  options: ProcessOptions,
) => Promise<ProcessResult>;

/** Runs a program of this machine without a shell and in the C locale. */
export const runProcess: RunProcess = (
  command,
  parameters,
  { input, timeout, limit = outputLimit },
) => {
  const operation = `run ${command}`;
  const { promise, resolve, reject } = Promise.withResolvers<ProcessResult>();
  const child = spawn(command, parameters, {
    env: { ...process.env, PATH: searchPath().join(':'), LC_ALL: 'C' },
    timeout,
    killSignal: 'SIGKILL',
  });
  const onExcess = () => {
    child.kill('SIGKILL');
    const detail = `it printed more than ${limit} bytes`;
    reject(new KernelError(operation, 'EMSGSIZE', { detail }));
  };
  const stdout = collected(child.stdout, { limit, onExcess });
  const stderr = collected(child.stderr, { limit, onExcess });
  child.on('error', (cause: NodeJS.ErrnoException) => {
    reject(new KernelError(operation, asErrno(cause.code), { cause }));
  });
  child.on('close', (status, signal) => {
    if (status !== null) resolve({ status, stdout: stdout(), stderr: stderr() });
    else if (signal === 'SIGKILL') {
      reject(new KernelError(operation, 'ETIMEDOUT', { detail: `killed after ${timeout} ms` }));
    } else reject(new KernelError(operation, 'EINTR', { detail: `ended by ${signal}` }));
  });
  // A program that exits before it has read everything prints the reason; EPIPE adds nothing.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  return promise;
};

/** The folders to search: PATH, and those of administration tools, which a service's PATH may lack. */
export function searchPath(): readonly string[] {
  const own = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  return [...new Set([...own, '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'])];
}

/**
 * Collects the output of a stream as text. Each piece is decoded when it comes: all of some 20 MiB at once takes long. Beyond the
 * limit, drops it and calls `onExcess` once.
 */
function collected(
  stream: NodeJS.ReadableStream,
  { limit, onExcess }: { limit: number; onExcess: () => void },
): () => string {
  const decoder = new StringDecoder('utf8');
  let pieces: string[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    const isWithin = size <= limit;
    size += chunk.length;
    if (size <= limit) {
      pieces.push(decoder.write(chunk));
      return;
    }
    pieces = [];
    if (isWithin) onExcess();
  });
  return () => pieces.join('') + decoder.end();
}

function asErrno(code: string | undefined): `E${string}` {
  return code?.startsWith('E') ? (code as `E${string}`) : 'EIO';
}
