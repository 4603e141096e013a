import { spawn } from 'node:child_process';
import { KernelError } from '../errno/errno.ts';

/** How a process ended and what it printed. */
export interface ProcessResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a process is given. */
export interface ProcessOptions {
  /** Written to its standard input, which is then closed. */
  readonly input?: string;
  /** Milliseconds after which it is killed. */
  readonly timeout: number;
  /** How many bytes it may print on each of its outputs; {@link outputLimit} unless said otherwise. */
  readonly limit?: number;
}

/** What a program may print on one output: the rules of others are the larger part, and 100,000 of them take some 20 MiB. */
const outputLimit = 256 * 1024 * 1024;

/**
 * Runs a program to its end. ENOENT if there is none of that name, ETIMEDOUT if it had to be killed, EMSGSIZE if it printed more
 * than the limit, after which it is killed as well.
 */
export type RunProcess = (
  command: string,
  parameters: readonly string[],
  options: ProcessOptions,
) => Promise<ProcessResult>;

/** Runs a program of this machine, without a shell and with messages in English. */
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
  // A program that ends before it has read everything says why on its standard error; EPIPE adds nothing.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  return promise;
};

/** Where programs are looked for: PATH, and the folders of administration tools that a service's PATH may lack. */
export function searchPath(): readonly string[] {
  const own = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  return [...new Set([...own, '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'])];
}

/** Collects what a stream says; as soon as that is more than the limit, nothing is kept of it and `onExcess` is called once. */
function collected(
  stream: NodeJS.ReadableStream,
  { limit, onExcess }: { limit: number; onExcess: () => void },
): () => string {
  let chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    const isWithin = size <= limit;
    size += chunk.length;
    if (size <= limit) {
      chunks.push(chunk);
      return;
    }
    chunks = [];
    if (isWithin) onExcess();
  });
  return () => Buffer.concat(chunks).toString();
}

function asErrno(code: string | undefined): `E${string}` {
  return code?.startsWith('E') ? (code as `E${string}`) : 'EIO';
}
