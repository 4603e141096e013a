import { familyOf } from '../../../pkg/ip/address.ts';
import type { Protocol } from '../../../pkg/ip/protocol.ts';
import type { Host } from './network.ts';
import {
  bindSocket,
  closeSocket,
  listenSocket,
  openSocket,
  type SocketAddress,
} from './sockets.ts';

/** A socket of a host that listens on an address, or takes datagrams there. Returns its descriptor; throws if the place is taken. */
export function serverSocket(host: Host, protocol: Protocol, at: SocketAddress): number {
  return hostSocket(host, protocol, { at, bind: at, isListening: protocol !== 'UDP' });
}

/** A socket of a host to reach an address with, from a place of its own if one is given. Returns its descriptor. */
export function clientSocket(
  host: Host,
  protocol: Protocol,
  { to, from }: { to: SocketAddress; from?: SocketAddress | undefined },
): number {
  return hostSocket(host, protocol, { at: to, bind: from, isListening: false });
}

function hostSocket(
  host: Host,
  protocol: Protocol,
  options: { at: SocketAddress; bind: SocketAddress | undefined; isListening: boolean },
): number {
  const leave = host.namespace.enter();
  try {
    const fd = openSocket(familyOf(options.at.address), protocol);
    try {
      if (options.bind !== undefined) bindSocket(fd, options.bind);
      if (options.isListening) listenSocket(fd);
    } catch (error) {
      closeSocket(fd);
      throw error;
    }
    return fd;
  } finally {
    leave();
  }
}
