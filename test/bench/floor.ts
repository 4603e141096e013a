/** The floor where there is no C compiler: the loop of `floor.c`, through koffi. */
import { readFileSync } from 'node:fs';
import { MessageCursor, NLMSG_DONE, NLMSG_ERROR } from '../../pkg/netlink/message.ts';
import { NetlinkSocket } from '../../pkg/netlink/socket.ts';

/** What sending a file of messages cost. */
export interface Played {
  readonly milliseconds: number;
  readonly sends: number;
  readonly messages: number;
  readonly refused: number;
}

/** Sends the messages of a file and reads the answers. */
export function play(file: string): Played {
  const bytes = new Uint8Array(readFileSync(file));
  const view = new DataView(bytes.buffer);
  const sockets = new Map<number, NetlinkSocket>();
  let sends = 0;
  let messages = 0;
  let refused = 0;
  const start = performance.now();
  for (let at = 0; at < bytes.length; sends++) {
    const protocol = view.getUint32(at, true);
    const end = at + 8 + view.getUint32(at + 4, true);
    const socket =
      sockets.get(protocol) ??
      NetlinkSocket.open(protocol, { receiveBuffer: 1 << 20, sendBuffer: 1 << 20 });
    sockets.set(protocol, socket);
    const result = exchange(socket, bytes.subarray(at + 8, end));
    messages += result.messages;
    refused += result.refused;
    at = end;
  }
  const milliseconds = performance.now() - start;
  for (const socket of sockets.values()) socket.close();
  return { milliseconds, sends, messages, refused };
}

function exchange(socket: NetlinkSocket, bytes: Uint8Array): { messages: number; refused: number } {
  const sent = new MessageCursor(bytes);
  sent.reset(bytes.length);
  let messages = 0;
  while (sent.next()) messages++;
  socket.send(bytes, bytes.length);
  for (let refused = 0; ; ) {
    const errno = socket.receive(performance.now() + 10_000);
    if (errno !== 0) throw new Error(`receive: error ${errno}`);
    const answer = socket.messages;
    while (answer.next()) {
      if (answer.type === NLMSG_ERROR && answer.reader.s32() !== 0) refused++;
      if (answer.sequence !== sent.sequence) continue;
      if (answer.type === NLMSG_ERROR || answer.type === NLMSG_DONE) return { messages, refused };
    }
  }
}
