import { errnoNumber } from '../../pkg/netlink/codes.ts';
import { MessageCursor, NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR } from '../../pkg/netlink/message.ts';
import type { DatagramSocket } from '../../pkg/netlink/socket.ts';
import { Writer } from '../../pkg/wire/writer.ts';

/** One datagram of the kernel's, made from the request that it answers. */
export type Answer = (request: { readonly sequence: number }) => Uint8Array;

/** A socket whose kernel answers from a script. */
export interface ScriptedSocket extends DatagramSocket {
  /** Bytes of each send. */
  readonly sent: Uint8Array[];
  isClosed: boolean;
}

/** Each send takes the next list of answers; an answer that is an error number is the error of the receive. */
export function scriptedSocket(script: (readonly (Answer | number)[])[]): ScriptedSocket {
  const buffer = new Uint8Array(65_536);
  const messages = new MessageCursor(buffer);
  const queue: (Uint8Array | number)[] = [];
  const sent: Uint8Array[] = [];
  return {
    messages,
    sendLimit: 65_536,
    sent,
    isClosed: false,
    send(bytes, length) {
      const copy = bytes.slice(0, length);
      sent.push(copy);
      const sequence = new DataView(copy.buffer).getUint32(8, true);
      for (const answer of script.shift() ?? []) {
        queue.push(typeof answer === 'number' ? answer : answer({ sequence }));
      }
      return 0;
    },
    receive() {
      const next = queue.shift() ?? errnoNumber('ETIMEDOUT');
      if (typeof next === 'number') return next;
      buffer.set(next);
      messages.reset(next.length);
      return 0;
    },
    close() {
      this.isClosed = true;
    },
  };
}

/** A message with any payload. */
export function message(options: {
  type: number;
  payload?: Uint8Array;
  flags?: number;
  after?: number;
}): Answer {
  const { type, payload = new Uint8Array(0), flags = 0, after = 0 } = options;
  return ({ sequence }) => {
    const writer = new Writer(64);
    writer.u32(16 + payload.length);
    writer.u16(type);
    writer.u16(flags);
    writer.u32(sequence + after);
    writer.u32(0);
    writer.put(payload);
    return writer.written();
  };
}

/** NLMSG_ERROR; `after` is how many messages of the send come before the one it answers. */
export function errorAnswer(errno: number, after = 0): Answer {
  const payload = new Writer(32);
  payload.s32(-errno);
  payload.u32(16);
  payload.zeros(12);
  return message({ type: NLMSG_ERROR, payload: payload.written(), flags: 0x100, after });
}

/** NLMSG_DONE of a dump. */
export function done(errno = 0): Answer {
  const payload = new Writer(4);
  payload.s32(-errno);
  return message({ type: NLMSG_DONE, payload: payload.written(), flags: NLM_F_MULTI });
}
