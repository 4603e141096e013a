import { KernelError } from '../errno/errno.ts';
import { addressBytes, type Family, familyOf, type IpAddress } from '../ip/address.ts';
import { AF_INET, AF_INET6 } from '../netlink/addresses.ts';
import { codeOf, errnoNumber } from '../netlink/codes.ts';
import * as libc from '../netlink/libc.ts';
import { encode, octets, padding, u16 } from '../wire/codec.ts';
import { struct } from '../wire/struct.ts';
import { rstPacket, synPacket } from './packet.ts';
import { type ClientConnection, printAbort, printChallenge, type Resetter } from './reset.ts';

const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
/** A raw socket of this protocol sends packets with their IP header and receives nothing. */
const IPPROTO_RAW = 255;

const EINTR = errnoNumber('EINTR');

/** struct sockaddr_in: the port must be 0. */
const ipv4Name = struct({ family: u16, port: padding(2), address: octets(4), zero: padding(8) });
/** struct sockaddr_in6. */
const ipv6Name = struct({
  family: u16,
  portAndFlow: padding(6),
  address: octets(16),
  scope: padding(4),
});

/**
 * Sends over raw sockets, one for each family, opened at its first use in the network namespace of that moment. Needs CAP_NET_RAW.
 * The caller closes it.
 */
export class RawResetter implements Resetter {
  readonly #sockets = new Map<Family, number>();

  challenge(connection: ClientConnection): boolean {
    const operation = `send SYN ${printChallenge(connection)}`;
    this.#send(operation, { packet: synPacket(connection, anyNumber()), to: connection.client });
    return true;
  }

  abort(connection: ClientConnection): boolean {
    const operation = `send RST ${printAbort(connection)}`;
    this.#send(operation, { packet: rstPacket(connection, anyNumber()), to: connection.server });
    return true;
  }

  #send(operation: string, { packet, to }: { packet: Uint8Array; to: IpAddress }): void {
    const fd = this.#socket(familyOf(to), operation);
    const name = socketName(to);
    while (libc.sendto(fd, packet, packet.length, 0, name, name.length) < 0) {
      const errno = libc.errno();
      if (errno !== EINTR) throw new KernelError(operation, codeOf(errno));
    }
  }

  /** Closes the sockets. */
  close(): void {
    for (const fd of this.#sockets.values()) libc.close(fd);
    this.#sockets.clear();
  }

  #socket(family: Family, operation: string): number {
    const open = this.#sockets.get(family);
    if (open !== undefined) return open;
    const domain = family === 'IPv4' ? AF_INET : AF_INET6;
    const fd = libc.socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0) {
      throw new KernelError(operation, codeOf(libc.errno()), { detail: 'no raw socket' });
    }
    this.#sockets.set(family, fd);
    return fd;
  }
}

function anyNumber(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

function socketName(address: IpAddress): Uint8Array {
  const bytes = addressBytes(address);
  return familyOf(address) === 'IPv4'
    ? encode(ipv4Name, { family: AF_INET, address: bytes })
    : encode(ipv6Name, { family: AF_INET6, address: bytes });
}
