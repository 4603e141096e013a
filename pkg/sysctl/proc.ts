import { readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { KernelError } from '../errno/errno.ts';
import type { Sysctl } from './sysctl.ts';

/** The settings below /proc/sys, or below another folder in a test. */
export class ProcSysctl implements Sysctl {
  readonly #root: string;

  constructor({ root = '/proc/sys' }: { root?: string } = {}) {
    this.#root = root;
  }

  read(path: string): string | undefined {
    try {
      return readFileSync(this.#file(path), 'utf8').trim();
    } catch (cause) {
      const error = this.#asKernelError(`read ${path}`, cause);
      if (error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  write(path: string, value: string): void {
    try {
      // Without O_CREAT, so that a setting that does not exist is not created.
      writeFileSync(this.#file(path), value, { flag: 'r+' });
    } catch (cause) {
      throw this.#asKernelError(`write ${value} to ${path}`, cause);
    }
  }

  kernelRelease(): string {
    return this.read('kernel/osrelease') ?? release();
  }

  /** The path of a setting. A dot may be part of an interface's name; `..` is refused. */
  #file(path: string): string {
    if (path.split('/').includes('..')) throw new Error(`not a setting: ${path}`);
    return join(this.#root, path);
  }

  #asKernelError(operation: string, cause: unknown): KernelError {
    const { code = '' } = cause as NodeJS.ErrnoException;
    const detail =
      code === 'EROFS' ? `${this.#root} is read-only: run privileged, or set it on the node` : '';
    return new KernelError(operation, code.startsWith('E') ? (code as `E${string}`) : 'EIO', {
      detail,
      cause,
    });
  }
}
