import { shorten } from '../../log/shorten.ts';
import { seconds } from '../../runner/clock.ts';
import { isObject } from '../objects/fields.ts';

/** The longest time that is waited for a server's `Retry-After`. */
const longestRetryAfter = seconds(300);
/** How many characters of a server's reason and message are kept, and how many causes. */
const limits = { word: 64, sentence: 500, causes: 16 };

/** An error that the API server answered with. */
export class ApiError extends Error {
  /** The HTTP status, or the code in an ERROR event. */
  readonly status: number;
  /** The API's reason: `Expired`, `Forbidden`; '' if it has none. */
  readonly reason: string;
  /** After how many milliseconds the server wants to be asked again; `undefined` if it does not say. */
  readonly retryAfter: number | undefined;
  readonly causes: readonly string[];

  constructor(
    request: string,
    {
      status,
      reason = '',
      message = '',
      retryAfter,
      causes = [],
    }: {
      status: number;
      reason?: string;
      message?: string;
      retryAfter?: number | undefined;
      causes?: readonly string[];
    },
  ) {
    const sentence = message === '' ? '' : `: ${shorten(message, limits.sentence)}`;
    super(`${request}: ${`${status} ${shorten(reason, limits.word)}`.trim()}${sentence}`);
    this.name = 'ApiError';
    this.status = status;
    this.reason = shorten(reason, limits.word);
    this.retryAfter = retryAfter;
    this.causes = causes.slice(0, limits.causes).map((cause) => shorten(cause, limits.word));
  }
}

/** How many milliseconds the server asks us to wait after an error, up to a limit; 0 if it does not ask. */
export function askedPause(error: unknown): number {
  const asked = error instanceof ApiError ? error.retryAfter : undefined;
  return Math.min(asked ?? 0, longestRetryAfter);
}

/** There is no answer, or an incomplete one: the connection failed, broke or was silent. */
export class ConnectionError extends Error {
  constructor(request: string, { reason, cause }: { reason: string; cause?: unknown }) {
    super(`${request}: ${shorten(reason, limits.sentence)}`, { cause });
    this.name = 'ConnectionError';
  }
}

/** An answer that is not what the API sends, whatever its HTTP status: no list or event of the kind. */
export class MalformedError extends Error {
  constructor(what: string) {
    super(`the server sent ${what}`);
    this.name = 'MalformedError';
  }
}

/** The error for a `Status` object from a body or an ERROR event. */
export function errorFromStatus(
  request: string,
  {
    status,
    body,
    retryAfter,
  }: {
    status: number;
    body: unknown;
    retryAfter?: number | undefined;
  },
): ApiError {
  if (!isObject(body))
    return new ApiError(request, {
      status,
      message: typeof body === 'string' ? body : '',
      retryAfter,
    });
  const details = isObject(body['details']) ? body['details'] : {};
  const asked = details['retryAfterSeconds'];
  const causes = Array.isArray(details['causes']) ? details['causes'] : [];
  return new ApiError(request, {
    status: isStatus(body['code']) ? body['code'] : status,
    reason: text(body['reason']),
    message: text(body['message']),
    retryAfter: retryAfter ?? (typeof asked === 'number' && asked > 0 ? seconds(asked) : undefined),
    causes: causes.map((cause) => (isObject(cause) ? text(cause['reason']) : '')),
  });
}

/** Whether the server no longer has a version. */
function isExpired(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone')
  );
}

/** Whether the server does not have a version yet: it lags behind, or its data was restored from a backup. */
function isTooLargeVersion(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return (
    error.causes.includes('ResourceVersionTooLarge') ||
    (error.status === 504 && /too large resource version/i.test(error.message))
  );
}

/** Whether the server cannot continue from our version. */
export function isVersionError(error: unknown): boolean {
  return isExpired(error) || isTooLargeVersion(error);
}

/** Whether the server refuses this form of the request, so that another form may work. */
export function isRefused(error: unknown): boolean {
  return error instanceof ApiError && [400, 403, 422].includes(error.status);
}

/** Whether the server finds the request itself wrong, for instance a version that it cannot read. */
export function isBadRequest(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 400 || error.status === 422);
}

/** The label of an error in metrics: the status, or the kind of failure. */
export function failureLabel(error: unknown): string {
  if (error instanceof ApiError) return `${error.status}`;
  if (error instanceof MalformedError) return 'malformed';
  return error instanceof ConnectionError ? 'connection' : 'other';
}

function isStatus(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 599;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
