import { readFileSync } from 'node:fs';
import type { RecordedRequest } from './recording-connection.ts';
import { wireDifferences } from './wire-lines.ts';

/** A captured netlink message. */
export interface CapturedMessage {
  readonly type: number;
  readonly isRequest: boolean;
  /** What follows nlmsghdr. */
  readonly payload: Uint8Array;
}

const headerLength = 16;
const NLM_F_REQUEST = 1;

/** The messages of `test/fixtures/<name>.txt`, as `hack/capture.sh` made it. */
export function capturedMessages(name: string): readonly CapturedMessage[] {
  const text = readFileSync(new URL(`../fixtures/${name}.txt`, import.meta.url), 'utf8');
  return text.split('\n').flatMap((line) => {
    if (!/^[<>] /.test(line)) return [];
    const bytes = Buffer.from(line.slice(2), 'hex');
    return {
      type: bytes.readUInt16LE(4),
      isRequest: (bytes.readUInt16LE(6) & NLM_F_REQUEST) !== 0,
      payload: new Uint8Array(bytes.subarray(headerLength)),
    };
  });
}

/**
 * In what a request differs from a captured one of the same type, attribute by attribute; throws if either is missing. Of several with one
 * name `ours` says which, and of those that were captured `number`, both counting from 0.
 */
export function requestDifferences(
  requests: readonly RecordedRequest[],
  {
    messages,
    name,
    number,
    ours = 0,
  }: { messages: readonly CapturedMessage[]; name: string; number: number; ours?: number },
): readonly string[] {
  const request = requests.filter((each) => each.name === name)[ours];
  if (request === undefined) throw new Error(`no request ${name}`);
  const captured = messages.filter(
    ({ type, isRequest, payload }) =>
      isRequest && type === request.type && isSameCommand(request, payload),
  )[number];
  if (captured === undefined) throw new Error(`no captured request ${name} of number ${number}`);
  return wireDifferences(request.codec, { ours: request.payload, theirs: captured.payload });
}

/** Commands of generic netlink have one type, and say which they are in their first byte. */
function isSameCommand({ codec, payload }: RecordedRequest, other: Uint8Array): boolean {
  return codec.shape.kind !== 'prefixed' || payload[0] === other[0];
}
