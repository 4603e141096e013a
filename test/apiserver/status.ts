import type { Json } from './objects.ts';
import { qualifiedName, type Resource } from './resources.ts';

/** One field that is wrong, as a Status names it. */
export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** The fields of an error's Status. */
export interface StatusFields {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly details?: Json;
  /** `metadata` of the Status; a continue token that outlived its snapshot is answered with a new one here. */
  readonly metadata?: Json;
  /** Seconds, for the Retry-After header. */
  readonly retryAfter?: number;
}

/** A request that is answered with a Status other than success. */
export class ApiError extends Error {
  readonly fields: StatusFields;

  constructor(fields: StatusFields) {
    super(fields.message);
    this.name = 'ApiError';
    this.fields = fields;
  }

  /** The Status object of the answer. */
  status(): Json {
    const { code, reason, message, details, metadata } = this.fields;
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: metadata ?? {},
      status: 'Failure',
      message,
      reason,
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

/** The Status of a deletion that left nothing behind. */
export function deletionStatus(resource: Resource, deleted: { name: string; uid: string }): Json {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { ...detailsOf(resource, deleted.name), uid: deleted.uid },
  };
}

/** 404: no such object. */
export function notFound(resource: Resource, name: string): ApiError {
  const message = `${qualifiedName(resource)} "${name}" not found`;
  return new ApiError({
    code: 404,
    reason: 'NotFound',
    message,
    details: detailsOf(resource, name),
  });
}

/** 404: no such path. */
export function noSuchPath(): ApiError {
  const message = 'the server could not find the requested resource';
  return new ApiError({ code: 404, reason: 'NotFound', message, details: {} });
}

/** 409: create of what is there. */
export function alreadyExists(resource: Resource, name: string): ApiError {
  const message = `${qualifiedName(resource)} "${name}" already exists`;
  return new ApiError({
    code: 409,
    reason: 'AlreadyExists',
    message,
    details: detailsOf(resource, name),
  });
}

/** 409: replace of another version than the present one, or of another object of the same name. */
export function conflict(resource: Resource, name: string): ApiError {
  const message =
    `Operation cannot be fulfilled on ${qualifiedName(resource)} "${name}": the object has been modified; ` +
    'please apply your changes to the latest version and try again';
  return new ApiError({
    code: 409,
    reason: 'Conflict',
    message,
    details: detailsOf(resource, name),
  });
}

/** 422: fields that are wrong, each with its path. */
export function invalid(
  object: { group: string; kind: string; name: string },
  causes: readonly Cause[],
): ApiError {
  const { group, kind, name } = object;
  const found = causes.map(({ field, message }) => `${field}: ${message}`);
  const text = found.length === 1 ? found[0] : `[${found.join(', ')}]`;
  const title = group === '' ? kind : `${kind}.${group}`;
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `${title} "${name}" is invalid: ${text}`,
    details: { name, ...(group === '' ? {} : { group }), kind, causes },
  });
}

/** 422: list options that may not stand together. */
export function invalidListOptions(field: string, message: string): ApiError {
  const object = { group: 'meta.k8s.io', kind: 'ListOptions', name: '' };
  return invalid(object, [
    { reason: 'FieldValueForbidden', message: `Forbidden: ${message}`, field },
  ]);
}

/** 400: what was sent cannot be understood. */
export function badRequest(message: string): ApiError {
  return new ApiError({ code: 400, reason: 'BadRequest', message });
}

/** 401: no valid token or certificate. */
export function unauthorized(): ApiError {
  return new ApiError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });
}

/** 410: the version is older than what is remembered. */
export function expired(message: string, metadata?: Json): ApiError {
  return new ApiError({
    code: 410,
    reason: 'Expired',
    message,
    ...(metadata === undefined ? {} : { metadata }),
  });
}

/** 504: the version lies in the future, so the client's server went back in time or this one lags behind. */
export function tooLargeVersion(wanted: number, current: number): ApiError {
  const message = `Too large resource version: ${wanted}, current: ${current}`;
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
  return new ApiError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: ${message}`,
    details: { causes, retryAfterSeconds: 1 },
    retryAfter: 1,
  });
}

/** 405: the path is known, the method is not for it. */
export function methodNotAllowed(): ApiError {
  const message = 'the server does not allow this method on the requested resource';
  return new ApiError({ code: 405, reason: 'MethodNotAllowed', message, details: {} });
}

/** 406: none of the forms that the client takes can be made. */
export function notAcceptable(): ApiError {
  const message = 'only the following media types are accepted: application/json';
  return new ApiError({ code: 406, reason: 'NotAcceptable', message });
}

/** 413: a body of more than the server reads. */
export function tooLarge(limit: number): ApiError {
  const message = `Request entity too large: limit is ${limit}`;
  return new ApiError({ code: 413, reason: 'RequestEntityTooLarge', message });
}

/** 415: a body in a form that is not read here. */
export function unsupportedMediaType(contentType: string): ApiError {
  const message = `the body of the request was in an unknown format (${contentType}) - accepted media types include: application/json`;
  return new ApiError({ code: 415, reason: 'UnsupportedMediaType', message });
}

function detailsOf(resource: Resource, name: string): Json {
  return {
    name,
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.plural,
  };
}
