/** The error codes that callers handle, and those that the kernel answers most. */
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
 * An error that the kernel answered with: the operation, the error code by name, and the kernel's own message if it sent one.
 * Message: `add real server 10.0.0.7:80 to 10.96.0.1:443/TCP: ENOENT`.
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

/** The error's code; `undefined` if it is no {@link KernelError}. */
export function errnoOf(error: unknown): ErrnoCode | undefined {
  return error instanceof KernelError ? error.code : undefined;
}

/** The object does not exist, or the object that it belongs to does not. */
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

/** The object exists already. */
export function isExists(error: unknown): boolean {
  return errnoOf(error) === 'EEXIST';
}

/** The object is in use. A later attempt may succeed. */
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
