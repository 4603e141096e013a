import { BodyError } from './body-error.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { decodeObject } from './protobuf-stream.ts';
import type { Answer } from './transport.ts';

/** Kubernetes' protobuf, as a media type. */
const protobufType = 'application/vnd.kubernetes.protobuf';

/** How much of an error that is no object is repeated, in characters. */
const longestText = 300;

/** The Accept header of a request. Only what comes by the thousand is worth protobuf, which has to be among `contentTypes`. */
export function acceptedTypes(
  purpose: 'request' | 'list' | 'watch',
  contentTypes = protobufType,
): string {
  const isAllowed = contentTypes.split(',').some((type) => mediaType(type) === protobufType);
  const isProtobufWanted = purpose !== 'request' && isAllowed;
  return isProtobufWanted ? `${protobufType},application/json` : 'application/json';
}

/** Whether an answer says that it is protobuf. Anything else is read as JSON, whatever it says. */
export function isProtobuf({ headers }: Pick<Answer, 'headers'>): boolean {
  return mediaType(headers['content-type'] ?? '') === protobufType;
}

/** A content type without its parameters. */
function mediaType(text: string): string {
  const [type = ''] = text.split(';');
  return type.trim().toLowerCase();
}

/** The `Status` in the body of an error, or its text. */
export function statusOf(answer: Pick<Answer, 'headers'>, body: Uint8Array): unknown {
  return isProtobuf(answer) ? protobufStatus(body) : jsonOrText(Buffer.from(body).toString());
}

function protobufStatus(body: Uint8Array): unknown {
  try {
    return decodeObject(body);
  } catch (error) {
    if (error instanceof BodyError) return '';
    throw error;
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text.trim().slice(0, longestText);
  }
}

/** The bytes of a body; beyond the limit they are cut, and the connection with them. */
export async function bytesOf({ read }: Answer, limit: number): Promise<Uint8Array> {
  const body = new ByteBuffer();
  await read((bytes) => {
    body.append(bytes.subarray(0, limit - body.length));
    return body.length < limit;
  });
  return body.bytes();
}
