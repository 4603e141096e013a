/** The error codes that callers of the kernel interfaces ask about, and those the kernel answers most. */
export type ErrnoCode =
  | 'EPERM'
  | 'ENOENT'
  | 'ESRCH'
  | 'EINTR'
  | 'EIO'
  | 'ENXIO'
  | 'E2BIG'
  | 'EBADF'
  | 'EAGAIN'
  | 'ENOMEM'
  | 'EACCES'
  | 'EBUSY'
  | 'EEXIST'
  | 'ENODEV'
  | 'EINVAL'
  | 'ENOSPC'
  | 'ERANGE'
  | 'EMSGSIZE'
  | 'ENOPROTOOPT'
  | 'EPROTONOSUPPORT'
  | 'EOPNOTSUPP'
  | 'EAFNOSUPPORT'
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'ENOBUFS'
  | 'ETIMEDOUT'
  | `E${string}`;

/**
 * What the kernel answered to one request: what was tried on what, the error code by name, and the
 * kernel's own sentence where it gave one. Message: `add real server 10.0.0.7:80 to 10.96.0.1:443/TCP: ENOENT`.
 */
export class KernelError extends Error {
  readonly operation: string;
  readonly code: ErrnoCode;
  readonly detail: string;

  constructor(
    operation: string,
    code: ErrnoCode,
    options: { detail?: string; cause?: unknown } = {},
  ) {
    const detail = options.detail ?? '';
    super(
      `${operation}: ${code}${detail === '' ? '' : ` (${detail})`}`,
      'cause' in options ? { cause: options.cause } : {},
    );
    this.name = 'KernelError';
    this.operation = operation;
    this.code = code;
    this.detail = detail;
  }
}

/** One request of a batch that failed, by its index in the batch. */
export interface Failure {
  readonly index: number;
  readonly error: Error;
}

/** The error's code, or `undefined` if it is no {@link KernelError}. */
export function errnoOf(error: unknown): ErrnoCode | undefined {
  return error instanceof KernelError ? error.code : undefined;
}

/** The object, or what it was to be put into, is not there. */
export function isNotFound(error: unknown): boolean {
  const code = errnoOf(error);
  return (
    code === 'ENOENT' ||
    code === 'ESRCH' ||
    code === 'ENODEV' ||
    code === 'ENXIO' ||
    code === 'EADDRNOTAVAIL'
  );
}

/** The object is there already. */
export function isExists(error: unknown): boolean {
  return errnoOf(error) === 'EEXIST';
}

/** Somebody is using the object now; trying again later can help. */
export function isBusy(error: unknown): boolean {
  return errnoOf(error) === 'EBUSY';
}

/** The process lacks a capability (CAP_NET_ADMIN). */
export function isNotPermitted(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'EPERM' || code === 'EACCES';
}

/** The kernel has no such protocol, family or feature. */
export function isUnsupported(error: unknown): boolean {
  const code = errnoOf(error);
  return (
    code === 'EOPNOTSUPP' ||
    code === 'EPROTONOSUPPORT' ||
    code === 'EAFNOSUPPORT' ||
    code === 'ENOPROTOOPT'
  );
}
