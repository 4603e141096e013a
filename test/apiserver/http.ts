import type { IncomingMessage, ServerResponse } from 'node:http';
import { sleep } from '../../pkg/runner/clock.ts';
import { answerError, answerJson, formOf } from './answer.ts';
import type { Context } from './context.ts';
import type { Credentials } from './credentials.ts';
import { discover, openApiV2 } from './discovery.ts';
import type { Effect } from './faults.ts';
import { serveList } from './list.ts';
import { serveObject } from './objects-api.ts';
import { decodeProtobuf, isProtobuf } from './protobuf.ts';
import { hasProtobuf } from './protobuf-encode.ts';
import { parseRequest } from './request.ts';
import type { LoggedRequest } from './request-log.ts';
import { ApiError, noSuchPath, tooLarge, unauthorized, unsupportedMediaType } from './status.ts';
import { serveWatch } from './watch.ts';

const bodyLimit = 3 * 1024 * 1024; // bytes
const health = ['/healthz', '/livez', '/readyz'];

/** What the handler needs beside the context of the objects. */
export interface HandlerOptions {
  readonly context: Context;
  readonly credentials: Credentials;
  /** Aborts when the server closes for good. */
  readonly signal: AbortSignal;
}

/** The function that answers every request. */
export function makeHandler(
  options: HandlerOptions,
): (message: IncomingMessage, response: ServerResponse) => void {
  return (message, response) => {
    handle(options, message, response).catch((error: unknown) => {
      if (options.signal.aborted || response.destroyed) return;
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      answerError(
        response,
        error instanceof ApiError
          ? error
          : new ApiError({ code: 500, reason: 'InternalError', message: text }),
      );
    });
  };
}

async function handle(
  options: HandlerOptions,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { context, credentials, signal } = options;
  const user = credentials.userOf(message);
  const request = logRequest(context, { message, response, user: user ?? '' });
  const effect = context.faults.strike(request);
  if (effect?.kind === 'hang') return;
  if (effect?.kind === 'reset') return void message.socket.destroy();
  if (effect?.kind === 'delay') await sleep(context.clock, effect.milliseconds, signal);
  if (effect?.kind === 'status')
    throw new ApiError({
      reason: reasons[effect.code] ?? 'Unknown',
      message: 'injected by a test',
      ...effect,
    });
  if (effect?.kind === 'body') {
    response.writeHead(effect.code, { 'content-type': effect.contentType });
    return void response.end(effect.body);
  }
  if (health.includes(request.path)) return void response.end('ok');
  if (user === undefined) throw unauthorized();
  if (request.resource !== undefined)
    return serveResource(options, { request, message, response, effect });
  if (request.path === '/openapi/v2') {
    response.writeHead(200, {
      'content-type': 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
    });
    return void response.end(openApiV2);
  }
  const reported = discover(request.path);
  if (reported === undefined) throw noSuchPath();
  answerJson(response, 200, reported);
}

interface Exchange {
  readonly request: LoggedRequest;
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly effect: Effect | undefined;
}

async function serveResource({ context }: HandlerOptions, exchange: Exchange): Promise<void> {
  const { request, message, response, effect } = exchange;
  const { resource } = request;
  if (resource === undefined) throw noSuchPath();
  const isMany = request.verb === 'watch' || request.verb === 'list';
  const canProtobuf = isMany && context.hasProtobuf() && hasProtobuf(resource.kind);
  const form = formOf(message.headers.accept, { canProtobuf });
  if (request.verb === 'watch') return serveWatch(context, request, { response, form, effect });
  if (request.verb === 'list') return serveList(context, request, { response, form });
  const contentType = message.headers['content-type'] ?? 'application/json';
  if (!isProtobuf(contentType) && !/^application\/([a-z-]+\+)?(json|yaml)/.test(contentType)) {
    throw unsupportedMediaType(contentType);
  }
  const bytes = await readBody(message);
  const body =
    isProtobuf(contentType) && bytes.length > 0
      ? JSON.stringify(decodeProtobuf(bytes))
      : bytes.toString();
  await serveObject({ context, request, resource, contentType, body }, response, form);
}

function logRequest(
  context: Context,
  from: { message: IncomingMessage; response: ServerResponse; user: string },
): LoggedRequest {
  const { message, response, user } = from;
  const request: LoggedRequest = {
    ...parseRequest(message.method ?? '', message.url ?? '/'),
    remotePort: message.socket.remotePort ?? 0,
    userAgent: message.headers['user-agent'] ?? '',
    user,
    code: 0,
    contentType: '',
    isOver: false,
  };
  const writeHead = response.writeHead.bind(response) as (...given: unknown[]) => ServerResponse; // its overloads do not matter here
  response.writeHead = (code: number, ...rest: unknown[]) => {
    request.code = code;
    request.contentType = contentTypeOf(rest);
    const result = writeHead(code, ...rest);
    context.log.changed();
    return result;
  };
  response.on('close', () => {
    request.isOver = true;
    context.log.changed();
  });
  context.log.add(request);
  return request;
}

/** The head of an answer as text; its headers come last. */
function contentTypeOf(rest: readonly unknown[]): string {
  const headers = rest.at(-1);
  const type =
    typeof headers === 'object' && headers !== null && 'content-type' in headers
      ? headers['content-type']
      : '';
  return String(type);
}

async function readBody(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of message) {
    size += (piece as Buffer).length; // no encoding is set, so pieces are buffers
    if (size > bodyLimit) throw tooLarge(bodyLimit);
    pieces.push(piece as Buffer);
  }
  return Buffer.concat(pieces);
}

const reasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};
