import koffi from 'koffi';

// Only the FFI declarations. All calls are synchronous: for them koffi keeps a Buffer alive and in place, which its asynchronous calls
// do not.
const libc = koffi.load(null);

/** A handle of uv_poll. It stops watching when it is garbage-collected, so its owner keeps a reference. */
export interface PollHandle {
  start(options: { readable: boolean }, callback: (status: number) => void): void;
  stop(): void;
  close(): void;
}

/** socket(2): a new file descriptor, or -1 and {@link errno}, like the following calls. */
export const socket: (domain: number, type: number, protocol: number) => number = libc.func(
  'int socket(int domain, int type, int protocol)',
);
/** bind(2): `address` is a struct sockaddr of the socket's family. */
export const bind: (fd: number, address: Uint8Array, length: number) => number = libc.func(
  'int bind(int fd, const void *address, uint32_t length)',
);
/** listen(2): at most `backlog` connections wait to be accepted. */
export const listen: (fd: number, backlog: number) => number = libc.func(
  'int listen(int fd, int backlog)',
);
/** accept4(2) without the peer's address: a new descriptor. */
export const accept = acceptWithoutAddress(
  libc.func('int accept4(int fd, void *address, void *length, int flags)'),
);
/** connect(2): to the kernel, pid 0, so that nobody else can send. */
export const connect: (fd: number, address: Uint8Array, length: number) => number = libc.func(
  'int connect(int fd, const void *address, uint32_t length)',
);
/** setsockopt(2): `value` is what `name` asks for, mostly an int in the host's order. */
export const setsockopt: (
  fd: number,
  level: number,
  name: number,
  value: Uint8Array,
  length: number,
) => number = libc.func(
  'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
);
/** `length` is a uint32_t in both directions. */
export const getsockopt: (
  fd: number,
  level: number,
  name: number,
  value: Uint8Array,
  length: Uint8Array,
) => number = libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)');
/** send(2): the number of bytes sent. koffi has no ssize_t; long has the same width. */
export const send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number =
  libc.func('long send(int fd, const void *bytes, size_t length, int flags)');
/** `address` is a struct sockaddr of the socket's family. */
export const sendto: (
  fd: number,
  bytes: Uint8Array,
  length: number,
  flags: number,
  address: Uint8Array,
  addressLength: number,
) => number = libc.func(
  'long sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t addressLength)',
);
/** recv(2): the number of bytes received, or with MSG_TRUNC the length of the datagram. */
export const recv: (fd: number, bytes: Uint8Array, length: number, flags: number) => number =
  libc.func('long recv(int fd, void *bytes, size_t length, int flags)');
/** recvmmsg(2) without a timeout: into an array of struct mmsghdr. The number of datagrams, or -1. What `headers` points to must stay there. */
export const recvmmsg = receiveWithoutTimeout(
  libc.func('int recvmmsg(int fd, void *headers, unsigned int count, int flags, void *timeout)'),
);
/** `descriptors` is an array of struct pollfd. */
export const poll: (descriptors: Uint8Array, count: number, timeout: number) => number = libc.func(
  'int poll(void *descriptors, unsigned long count, int timeout)',
);
/** close(2): the descriptor may be used for other files afterwards. */
export const close: (fd: number) => number = libc.func('int close(int fd)');
/** Changes the namespace of the calling thread only, so enter and leave without an await between. */
export const setns: (fd: number, type: number) => number = libc.func('int setns(int fd, int type)');

function acceptWithoutAddress(
  accept4: (fd: number, address: null, length: null, flags: number) => number,
): (fd: number, flags: number) => number {
  return (fd, flags) => accept4(fd, null, null, flags);
}

function receiveWithoutTimeout(
  receive: (fd: number, headers: Uint8Array, count: number, flags: number, timeout: null) => number,
): (fd: number, headers: Uint8Array, count: number, flags: number) => number {
  return (fd, headers, count, flags) => receive(fd, headers, count, flags, null);
}

/** Where bytes are, as a pointer. They must be outside of V8's heap, and be kept alive. */
export function address(bytes: Uint8Array): bigint {
  return koffi.address(bytes);
}

/** The errno of the last call that failed. */
export function errno(): number {
  return koffi.errno();
}

/** Calls back from the event loop while `fd` is readable. A negative status means that libuv stopped watching. */
export function watchReadable(fd: number, callback: (status: number) => void): PollHandle {
  // koffi declares (events); libuv passes the status before it.
  const watch = koffi.node.poll as unknown as (
    fd: number,
    options: object,
    callback: (status: number) => void,
  ) => PollHandle;
  return watch(fd, { readable: true }, callback);
}
