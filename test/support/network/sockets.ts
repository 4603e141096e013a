import koffi from 'koffi';
import {
  addressBytes,
  addressFromBytes,
  type Family,
  familyOf,
  type IpAddress,
} from '../../../pkg/ip/address.ts';
import { type Protocol, protocolNumber } from '../../../pkg/ip/protocol.ts';
import {
  bind,
  close,
  connect,
  errno,
  getsockopt,
  recv,
  send,
  setsockopt,
  socket,
} from '../../../pkg/netlink/libc.ts';

// Plain sockets in any network namespace and of any protocol, SCTP included, which Node's own modules do not have.

const libc = koffi.load(null);
const listen: (fd: number, backlog: number) => number = libc.func(
  'int listen(int fd, int backlog)',
);
const accept4: (fd: number, address: Uint8Array, length: Uint8Array, flags: number) => number =
  libc.func('int accept4(int fd, void *address, void *length, int flags)');
const recvfrom: (
  fd: number,
  bytes: Uint8Array,
  size: number,
  flags: number,
  from: Uint8Array,
  length: Uint8Array,
) => number = libc.func(
  'long recvfrom(int fd, void *bytes, size_t size, int flags, void *from, void *length)',
);
const sendto: (
  fd: number,
  bytes: Uint8Array,
  size: number,
  flags: number,
  to: Uint8Array,
  length: number,
) => number = libc.func(
  'long sendto(int fd, const void *bytes, size_t size, int flags, const void *to, uint32_t length)',
);

const AF = { IPv4: 2, IPv6: 10 } as const;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SO_ERROR = 4;
const SO_LINGER = 13;
const IPPROTO_TCP = 6;
const TCP_REPAIR = 19;
const MSG_NOSIGNAL = 0x4000;
/** Nothing to read or no room to write now; from asm-generic/errno-base.h. */
export const EAGAIN = 11;
/** A connection is under way; from asm-generic/errno.h. */
export const EINPROGRESS = 115;

/** An address and a port. */
export interface SocketAddress {
  readonly address: IpAddress;
  readonly port: number;
}

/** A non-blocking socket of a family and protocol in the namespace this thread is in. Returns its descriptor. */
export function openSocket(family: Family, protocol: Protocol): number {
  const type = protocol === 'UDP' ? 2 : 1;
  const fd = socket(AF[family], type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocolNumber(protocol));
  if (fd < 0) throw new Error(`socket ${protocol} ${family}: errno ${errno()}`);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, words(1), 4);
  // All addresses are all of the socket's family: a port can be served once in each.
  if (family === 'IPv6') setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, words(1), 4);
  return fd;
}

/** Binds a socket; throws if the address is taken or not there. */
export function bindSocket(fd: number, at: SocketAddress): void {
  const name = encode(at);
  if (bind(fd, name, name.length) !== 0)
    throw new Error(`bind ${at.address} ${at.port}: errno ${errno()}`);
}

/** Makes a stream socket listen. */
export function listenSocket(fd: number): void {
  if (listen(fd, 128) !== 0) throw new Error(`listen: errno ${errno()}`);
}

/** Begins to connect; 0 or an errno (EINPROGRESS as a rule). */
export function connectSocket(fd: number, to: SocketAddress): number {
  const name = encode(to);
  return connect(fd, name, name.length) === 0 ? 0 : errno();
}

/** The next connection that waits, or `undefined` if none does. */
export function acceptSocket(
  fd: number,
): { readonly fd: number; readonly peer: SocketAddress } | undefined {
  const name = new Uint8Array(28);
  const length = words(28);
  const accepted = accept4(fd, name, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return accepted < 0 ? undefined : { fd: accepted, peer: decode(name) };
}

/** SO_ERROR: why a connection failed, 0 if it did not. */
export function socketError(fd: number): number {
  const value = words(0);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, value, words(4));
  return new DataView(value.buffer).getUint32(0, true);
}

/** Closing this socket shall send a reset. */
export function resetOnClose(fd: number): void {
  setsockopt(fd, SOL_SOCKET, SO_LINGER, words(1, 0), 8);
}

/** Closing this socket of TCP shall send nothing at all. Takes CAP_NET_ADMIN. */
export function silenceOnClose(fd: number): void {
  setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, words(1), 4);
}

/** Sends text on a connected socket; 0 or an errno. */
export function sendText(fd: number, text: string): number {
  const bytes = Buffer.from(text);
  return send(fd, bytes, bytes.length, MSG_NOSIGNAL) < 0 ? errno() : 0;
}

/** For one call at a time: a new one for each would cost more than the call. */
const received = Buffer.alloc(65_536);

/** What a connected socket got: text, '' at the end of the stream, or an errno. */
export function receiveText(fd: number): string | number {
  const length = recv(fd, received, received.length, 0);
  return length < 0 ? errno() : received.toString('utf8', 0, Number(length));
}

/** The next datagram and where it came from, or `undefined` if none waits. */
export function receiveFrom(
  fd: number,
): { readonly text: string; readonly peer: SocketAddress } | undefined {
  const name = new Uint8Array(28);
  const length = words(28);
  const size = Number(recvfrom(fd, received, received.length, 0, name, length));
  return size < 0 ? undefined : { text: received.toString('utf8', 0, size), peer: decode(name) };
}

/** Sends a datagram; 0 or an errno. */
export function sendTo(fd: number, { text, to }: { text: string; to: SocketAddress }): number {
  const bytes = Buffer.from(text);
  const name = encode(to);
  return sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, name, name.length) < 0 ? errno() : 0;
}

/** Gives the descriptor back. */
export function closeSocket(fd: number): void {
  close(fd);
}

function words(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

/** struct sockaddr_in or sockaddr_in6. */
function encode({ address, port }: SocketAddress): Uint8Array {
  const family = familyOf(address);
  const name = Buffer.alloc(family === 'IPv4' ? 16 : 28);
  name.writeUInt16LE(AF[family], 0);
  name.writeUInt16BE(port, 2);
  name.set(addressBytes(address), family === 'IPv4' ? 4 : 8);
  return name;
}

function decode(bytes: Uint8Array): SocketAddress {
  const name = Buffer.from(bytes);
  const isIPv4 = name.readUInt16LE(0) === AF.IPv4;
  return {
    address: addressFromBytes(isIPv4 ? name.subarray(4, 8) : name.subarray(8, 24)),
    port: name.readUInt16BE(2),
  };
}
