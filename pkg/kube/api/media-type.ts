import { BodyError } from './body-error.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { decodeObject } from './protobuf-stream.ts';
import type { Answer } from './transport.ts';

/** The media type of Kubernetes' protobuf. */
const protobufType = 'application/vnd.kubernetes.protobuf';

/** How many characters of an error that is no object are used. */
const longestText = 300;

/** The Accept header of a request. Only lists and watches use protobuf, if `contentTypes` has it. */
export function acceptedTypes(
  purpose: 'request' | 'list' | 'watch',
  contentTypes = protobufType,
): string {
  const isAllowed = contentTypes.split(',').some((type) => mediaType(type) === protobufType);
  const isProtobufWanted = purpose !== 'request' && isAllowed;
  return isProtobufWanted ? `${protobufType},application/json` : 'application/json';
}

/** Whether an answer is protobuf by its content type. All others are read as JSON. */
export function isProtobuf({ headers }: Pick<Answer, 'headers'>): boolean {
  return mediaType(headers['content-type'] ?? '') === protobufType;
}

/** A content type without its parameters. */
function mediaType(text: string): string {
  const [type = ''] = text.split(';');
  return type.trim().toLowerCase();
}

/** The `Status` in an error's body, or the text of the body. */
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

/** The bytes of a body. Beyond the limit it stops reading, which closes the connection. */
export async function bytesOf({ read }: Answer, limit: number): Promise<Uint8Array> {
  const body = new ByteBuffer();
  await read((bytes) => {
    body.append(bytes.subarray(0, limit - body.length));
    return body.length < limit;
  });
  return body.bytes();
}
