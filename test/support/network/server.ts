import type { IpAddress } from '../../../pkg/ip/address.ts';
import type { Protocol } from '../../../pkg/ip/protocol.ts';
import { watchReadable } from '../../../pkg/netlink/libc.ts';
import { serverSocket } from './host-socket.ts';
import type { Host } from './network.ts';
import {
  acceptSocket,
  closeSocket,
  EAGAIN,
  receiveFrom,
  receiveText,
  type SocketAddress,
  sendText,
  sendTo,
} from './sockets.ts';

/**
 * A server that answers each message with its name and the address it saw: `web1 10.0.1.2`. One that begins with # it sends back
 * as it is, and `~700` it answers after 700 ms.
 */
export interface Server {
  readonly name: string;
  /** Every client address it has seen, in order. */
  readonly seen: readonly IpAddress[];
  /** Stops listening; connections are closed in the ordinary way. */
  close(): void;
}

/** Serves a port of a host on all its addresses of the family of `address`, or on that address alone. */
export function serve(
  host: Host,
  { protocol, port, address }: { protocol: Protocol; port: number; address: IpAddress },
): Server {
  const fd = serverSocket(host, protocol, { address, port });
  return protocol === 'UDP' ? serveDatagrams(host.name, fd) : serveStreams(host.name, fd);
}

function serveDatagrams(name: string, fd: number): Server {
  const seen: IpAddress[] = [];
  const handle = watchReadable(fd, () => {
    for (let got = receiveFrom(fd); got !== undefined; got = receiveFrom(fd)) {
      seen.push(got.peer.address);
      const { text, peer } = got;
      reply(text, {
        own: answer(name, peer),
        send: (own) => void sendTo(fd, { text: own, to: peer }),
      });
    }
  });
  return {
    name,
    seen,
    close() {
      handle.close();
      closeSocket(fd);
    },
  };
}

function serveStreams(name: string, fd: number): Server {
  const seen: IpAddress[] = [];
  const connections = new Set<() => void>();
  const listener = watchReadable(fd, () => {
    for (let got = acceptSocket(fd); got !== undefined; got = acceptSocket(fd)) {
      seen.push(got.peer.address);
      const end = converse(got.fd, {
        text: answer(name, got.peer),
        onEnd: () => connections.delete(end),
      });
      connections.add(end);
    }
  });
  return {
    name,
    seen,
    close() {
      listener.close();
      closeSocket(fd);
      for (const end of [...connections]) end();
    },
  };
}

/** Answers every message of one connection until the client closes it. Returns how to close it from this side. */
function converse(fd: number, { text, onEnd }: { text: string; onEnd: () => void }): () => void {
  let isOpen = true;
  const handle = watchReadable(fd, () => {
    const got = receiveText(fd);
    if (typeof got === 'string' && got !== '')
      reply(got, { own: text, send: (own) => void (isOpen && sendText(fd, own)) });
    else if (got !== EAGAIN) end();
  });
  function end(): void {
    if (!isOpen) return;
    isOpen = false;
    handle.close();
    closeSocket(fd);
    onEnd();
  }
  return end;
}

/** Sends what a message is to be answered with. */
function reply(
  message: string,
  { own, send }: { own: string; send: (text: string) => void },
): void {
  if (message.startsWith('~')) setTimeout(() => send(own), Number(message.slice(1)));
  else send(message.startsWith('#') ? message : own);
}

function answer(name: string, { address }: SocketAddress): string {
  return `${name} ${address}`;
}
