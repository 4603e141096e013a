import { KernelError } from '../errno/errno.ts';
import { codeOf, errnoNumber } from './codes.ts';
import { type PollHandle, watchReadable } from './libc.ts';
import type { MessageCursor } from './message.ts';
import { NetlinkSocket, type SocketOptions } from './socket.ts';

/** Options of an event socket. */
export interface EventOptions extends SocketOptions {
  /** Multicast groups, RTNLGRP_* and the like: numbers, not masks. */
  readonly groups: readonly number[];
  /** Called with every message. The payload at `message.reader` is valid during the call. It must not throw. */
  readonly onMessage: (message: MessageCursor) => void;
  /** Called when events were lost, after those that were left: everything must be read again. */
  readonly onOverflow: () => void;
}

const EAGAIN = errnoNumber('EAGAIN');
const ENOBUFS = errnoNumber('ENOBUFS');
/** How many datagrams are read before the event loop turns. The poller calls again if there are more. */
const stretch = 128;

/** Listens to multicast groups of a NETLINK_* protocol until it is closed. It joins them when it is opened and misses nothing from then on. */
export class EventSocket {
  readonly #socket: NetlinkSocket;
  readonly #options: EventOptions;
  /** Referenced here, as a handle that is garbage-collected stops without an error. */
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
    // libuv stops a poller whose descriptor reports an error, such as ENOBUFS.
    this.#poller.stop();
    this.#poller.start({ readable: true }, (next) => this.#drain(next));
    this.#options.onOverflow();
  }

  #deliver(): void {
    const { messages } = this.#socket;
    while (!this.#isClosed && messages.next()) this.#options.onMessage(messages);
  }
}
