import { readFileSync } from 'node:fs';

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
