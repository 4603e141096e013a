import {
  MessageCursor,
  NLM_F_DUMP,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
} from '../../pkg/netlink/message.ts';
import type { DatagramSocket } from '../../pkg/netlink/socket.ts';

/** A socket behind which a kernel has nothing and does everything at once. */
export interface AcceptingSocket extends DatagramSocket {
  /** How often something was sent. */
  readonly sends: () => number;
}

/** Makes one: each send's last message is acknowledged, and a dump ends at once. */
export function acceptingSocket(): AcceptingSocket {
  const buffer = new Uint8Array(64);
  const answer = new DataView(buffer.buffer);
  const messages = new MessageCursor(buffer);
  let sends = 0;
  return {
    messages,
    sendLimit: 1 << 20,
    sends: () => sends,
    send(bytes, length) {
      sends++;
      const sent = new DataView(bytes.buffer, bytes.byteOffset);
      let last = 0;
      for (let at = 0; at < length; at += (sent.getUint32(at, true) + 3) & ~3) last = at;
      const isDump = (sent.getUint16(last + 6, true) & NLM_F_DUMP) === NLM_F_DUMP;
      answer.setUint32(0, isDump ? 20 : 36, true);
      answer.setUint16(4, isDump ? NLMSG_DONE : NLMSG_ERROR, true);
      answer.setUint16(6, isDump ? NLM_F_MULTI : 0, true);
      answer.setUint32(8, sent.getUint32(last + 8, true), true);
      return 0;
    },
    receive() {
      messages.reset(answer.getUint32(0, true));
      return 0;
    },
    close() {},
  };
}
