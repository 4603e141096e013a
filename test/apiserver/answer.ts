import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { protobufType } from './protobuf-encode.ts';
import type { ApiError } from './status.ts';
import { notAcceptable } from './status.ts';

/** In which form objects are wanted: in JSON as they are or as tables, or as they are in protobuf. */
export type Form = 'objects' | 'table' | 'protobuf';

/** The first form of an Accept header that can be made; 406 if there is none. */
export function formOf(
  accept: string | undefined,
  { canProtobuf }: { canProtobuf: boolean },
): Form {
  for (const part of (accept || '*/*').split(',')) {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim());
    if (type === protobufType && canProtobuf) return 'protobuf';
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue;
    const as = parameters.find((parameter) => parameter.startsWith('as='));
    if (as === undefined) return 'objects';
    if (as === 'as=Table' && parameters.includes('v=v1')) return 'table';
  }
  throw notAcceptable();
}

/** Answers with a JSON text. */
export function answerText(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Answers with a value as JSON. */
export function answerJson(response: ServerResponse, code: number, value: unknown): void {
  answerText(response, code, JSON.stringify(value));
}

/** Answers with a Status, unless the answer has begun. */
export function answerError(response: ServerResponse, error: ApiError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { code, retryAfter } = error.fields;
  if (retryAfter !== undefined) response.setHeader('retry-after', String(retryAfter));
  answerJson(response, code, error.status());
}

/** Answers with pieces of JSON, as fast as the client reads. */
export async function answerPieces(
  response: ServerResponse,
  pieces: Iterable<string>,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  try {
    await pipeline(Readable.from(joined(pieces)), response);
  } catch (error) {
    // The client closed the connection in the middle: no answer can be sent.
    if (!response.destroyed) throw error;
  }
}

const pieceSize = 64 * 1024; // characters

function* joined(pieces: Iterable<string>): Generator<Buffer> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < pieceSize) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}
