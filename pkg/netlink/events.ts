import { KernelError } from '../errno/errno.ts';
import { codeOf, errnoNumber } from './codes.ts';
import { type PollHandle, watchReadable } from './libc.ts';
import type { MessageCursor } from './message.ts';
import { NetlinkSocket, type SocketOptions } from './socket.ts';

/** What to listen to and whom to tell. */
export interface EventOptions extends SocketOptions {
  /** Multicast groups, RTNLGRP_* and the like: numbers, not masks. */
  readonly groups: readonly number[];
  /** Gets every message; its payload is at `message.reader`, good during the call only. It must not throw. */
  readonly onMessage: (message: MessageCursor) => void;
  /** Events were lost: read everything anew. Called after what was left of them. */
  readonly onOverflow: () => void;
}

const EAGAIN = errnoNumber('EAGAIN');
const ENOBUFS = errnoNumber('ENOBUFS');
/** Datagrams read before the event loop turns; the poller calls again if there are more. */
const stretch = 128;

/** Listens to multicast groups of a NETLINK_* protocol until it is closed. Opening joins the groups, so nothing after it is missed. */
export class EventSocket {
  readonly #socket: NetlinkSocket;
  readonly #options: EventOptions;
  /** Kept here because a handle that is collected stops in silence. */
  readonly #poller: PollHandle;
  #isClosed = false;

  constructor(protocol: number, options: EventOptions) {
    this.#options = options;
    this.#socket = NetlinkSocket.open(protocol, options);
    try {
      for (const group of options.groups) this.#socket.join(group);
      this.#poller = watchReadable(this.#socket.fd, (status) => this.#drain(status));
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#poller.close();
    this.#socket.close();
  }

  #drain(status: number): void {
    let isLost = status < 0;
    for (let count = 0; count < stretch && !this.#isClosed; count++) {
      const errno = this.#socket.receiveNow();
      if (errno === EAGAIN) break;
      if (errno === ENOBUFS) isLost = true;
      else if (errno !== 0) throw new KernelError('receive netlink events', codeOf(errno));
      else this.#deliver();
    }
    if (!isLost || this.#isClosed) return;
    // libuv stops a poller whose descriptor reports an error, which ENOBUFS is to it.
    this.#poller.stop();
    this.#poller.start({ readable: true }, (next) => this.#drain(next));
    this.#options.onOverflow();
  }

  #deliver(): void {
    const { messages } = this.#socket;
    while (!this.#isClosed && messages.next()) this.#options.onMessage(messages);
  }
}
