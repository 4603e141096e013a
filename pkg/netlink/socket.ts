import { closeSync, openSync } from 'node:fs';
import { KernelError } from '../errno/errno.ts';
import { codeOf, errnoNumber } from './codes.ts';
import * as libc from './libc.ts';
import type { MessageCursor } from './message.ts';
import { ReceiveBuffer } from './receive-buffer.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const CLONE_NEWNET = 0x40000000;

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDTIMEO = 21;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;

const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const POLLIN = 1;

const EINTR = errnoNumber('EINTR');
const EAGAIN = errnoNumber('EAGAIN');
const ETIMEDOUT = errnoNumber('ETIMEDOUT');

const sendTimeout = 30; // s
/** A send of `length` bytes needs length + 32 bytes of SO_SNDBUF. */
const sendOverhead = 32;
/** One receive of a dump returns 32 KiB at most. */
const receiveLength = 65_536;
/** An error that echoes a request with one full attribute (65,535 bytes) is a little longer than that. */
const echoLength = 131_072;

/** Options of a socket. */
export interface SocketOptions {
  /** The path of another network namespace (`/run/netns/x`) to open it in. */
  readonly netns?: string | undefined;
  /** Errors contain the whole request, which ipset needs for its line number. By default only its header. */
  readonly echo?: boolean;
  /** NETLINK_GET_STRICT_CHK: the kernel refuses unknown parts of dump requests, and filters by known ones. */
  readonly strict?: boolean;
  /** In bytes. The kernel allocates twice as many for its own data. */
  readonly sendBuffer?: number;
  readonly receiveBuffer?: number;
  /** How many datagrams a system call may receive, 1 by default. Those behind the first are kept here, so polling does not see them. */
  readonly datagrams?: number;
}

/** The part of a socket that a connection uses. */
export type DatagramSocket = Pick<
  NetlinkSocket,
  'messages' | 'sendLimit' | 'send' | 'receive' | 'close'
>;

/**
 * A socket that is connected to the kernel, so that nobody else can answer. Owns errno: its methods return error numbers, as only the
 * caller knows the operation.
 */
export class NetlinkSocket {
  /** The messages that {@link receive} got last. */
  readonly messages: MessageCursor;
  /** The largest number of bytes that {@link send} takes. */
  readonly sendLimit: number;
  readonly #received: ReceiveBuffer;
  readonly #poll = new Uint8Array(8); // struct pollfd
  #fd: number;

  private constructor(fd: number, options: SocketOptions) {
    this.#fd = fd;
    const length = options.echo === true ? echoLength : receiveLength;
    this.#received = new ReceiveBuffer({ length, datagrams: options.datagrams ?? 1 });
    this.messages = this.#received.messages;
    this.sendLimit = prepare(fd, options) - sendOverhead;
    const view = new DataView(this.#poll.buffer);
    view.setInt32(0, fd, true);
    view.setInt16(4, POLLIN, true);
  }

  /** Opens a socket of a NETLINK_* protocol. Throws KernelError. */
  static open(protocol: number, options: SocketOptions = {}): NetlinkSocket {
    const fd = options.netns === undefined ? openHere(protocol) : openIn(options.netns, protocol);
    try {
      return new NetlinkSocket(fd, options);
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  }

  /** The descriptor, for the poller; -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Sends the first `length` bytes. Returns 0 or an errno. The kernel's answer is in the receive queue afterwards. */
  send(bytes: Uint8Array, length: number): number {
    for (;;) {
      if (libc.send(this.#fd, bytes, length, 0) >= 0) return 0;
      const errno = libc.errno();
      if (errno !== EINTR) return errno === EAGAIN ? ETIMEDOUT : errno;
    }
  }

  /** Receives a datagram that is there already. Returns 0 or an errno, EAGAIN if there is none. */
  receiveNow(): number {
    return this.#received.next(this.#fd);
  }

  /** Receives a datagram, waiting until `deadline` (performance.now). Returns 0 or an errno, ETIMEDOUT if none came. */
  receive(deadline: number): number {
    for (;;) {
      const errno = this.receiveNow();
      if (errno !== EAGAIN) return errno;
      const left = Math.ceil(deadline - performance.now());
      if (left <= 0) return ETIMEDOUT;
      if (libc.poll(this.#poll, 1, left) < 0 && libc.errno() !== EINTR) return libc.errno();
    }
  }

  /** Joins a multicast group by its number. Throws KernelError. */
  join(group: number): void {
    const errno = setOption(this.#fd, [SOL_NETLINK, NETLINK_ADD_MEMBERSHIP], group);
    if (errno !== 0) throw new KernelError(`join netlink group ${group}`, codeOf(errno));
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}

function openHere(protocol: number): number {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) throw new KernelError(`open netlink socket ${protocol}`, codeOf(libc.errno()));
  const address = new Uint8Array(12); // struct sockaddr_nl; port 0: ours is chosen on bind, the kernel's on connect
  new DataView(address.buffer).setUint16(0, AF_NETLINK, true);
  if (libc.bind(fd, address, 12) === 0 && libc.connect(fd, address, 12) === 0) return fd;
  const code = codeOf(libc.errno());
  libc.close(fd);
  throw new KernelError(`bind netlink socket ${protocol}`, code);
}

/** Opens a socket in another namespace. The namespace is the thread's, so there must be no await between the two setns. */
function openIn(path: string, protocol: number): number {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const there = openSync(path, 'r');
    try {
      enter(there, path);
      return openHere(protocol);
    } finally {
      closeSync(there);
      enter(home, 'home');
    }
  } finally {
    closeSync(home);
  }
}

function enter(fd: number, name: string): void {
  if (libc.setns(fd, CLONE_NEWNET) !== 0)
    throw new KernelError(`enter network namespace ${name}`, codeOf(libc.errno()));
}

/** Sets the options. Returns the size of the send buffer. */
function prepare(fd: number, options: SocketOptions): number {
  setOption(fd, [SOL_NETLINK, NETLINK_EXT_ACK], 1);
  if (options.echo !== true) setOption(fd, [SOL_NETLINK, NETLINK_CAP_ACK], 1);
  if (options.strict === true) setOption(fd, [SOL_NETLINK, NETLINK_GET_STRICT_CHK], 1);
  // Some kernels lack the options above, and nothing depends on them, so ENOPROTOOPT is ignored.
  setSize(fd, options.sendBuffer, [SO_SNDBUFFORCE, SO_SNDBUF]);
  setSize(fd, options.receiveBuffer, [SO_RCVBUFFORCE, SO_RCVBUF]);
  const timeval = new Uint8Array(16);
  timeval[0] = sendTimeout;
  libc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeval, 16);
  const size = new Uint8Array(4);
  const length = Uint8Array.of(4, 0, 0, 0);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_SNDBUF, size, length) !== 0) {
    throw new KernelError('read SO_SNDBUF', codeOf(libc.errno()));
  }
  return new DataView(size.buffer).getInt32(0, true);
}

/** FORCE ignores the system's limit and needs CAP_NET_ADMIN. Without it the limit applies without an error. */
function setSize(
  fd: number,
  size: number | undefined,
  [force, plain]: readonly [number, number],
): void {
  if (size !== undefined && setOption(fd, [SOL_SOCKET, force], size) !== 0)
    setOption(fd, [SOL_SOCKET, plain], size);
}

/** Returns 0 or an errno. */
function setOption(fd: number, [level, name]: readonly [number, number], value: number): number {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return libc.setsockopt(fd, level, name, bytes, 4) === 0 ? 0 : libc.errno();
}
