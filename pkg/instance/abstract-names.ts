import { KernelError } from '../errno/errno.ts';
import { codeOf } from '../netlink/codes.ts';
import * as libc from '../netlink/libc.ts';
import type { HeldName, NameHolder, Names } from './instance.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** How many connections may wait to be accepted, and how many of root's are held. */
const backlog = 64;
const waiterLimit = 64;

/**
 * Names of abstract UNIX sockets. Each network namespace has its own, and the kernel frees one when its process ends. The holder is
 * known by the listener's credentials, which come from the kernel.
 */
export const abstractNames: Names = { take, holder };

function take(name: string): HeldName | 'taken' {
  const operation = `take the name @${name}`;
  const fd = openSocket(operation);
  const address = addressOf(name);
  if (libc.bind(fd, address, address.length) === 0 && libc.listen(fd, backlog) === 0)
    return new Listener(fd);
  const code = codeOf(libc.errno());
  libc.close(fd);
  if (code === 'EADDRINUSE') return 'taken';
  throw new KernelError(operation, code);
}

function holder(name: string): NameHolder | 'unknown' {
  const operation = `ask who has the name @${name}`;
  const fd = openSocket(operation);
  const address = addressOf(name);
  if (libc.connect(fd, address, address.length) !== 0) {
    const code = codeOf(libc.errno());
    libc.close(fd);
    // Nobody listens yet or any more, or too many connections wait.
    if (code === 'ECONNREFUSED' || code === 'EAGAIN') return 'unknown';
    throw new KernelError(operation, code);
  }
  const peer = peerOf(fd);
  if (peer !== undefined) return new Holder(fd, peer);
  const code = codeOf(libc.errno());
  libc.close(fd);
  throw new KernelError(operation, code);
}

function openSocket(operation: string): number {
  const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new KernelError(operation, codeOf(libc.errno()));
  return fd;
}

/** struct sockaddr_un of an abstract name: its path begins with a zero byte. */
function addressOf(name: string): Uint8Array {
  return Uint8Array.of(AF_UNIX, 0, 0, ...Buffer.from(name));
}

/** struct ucred of the other end, or `undefined`. */
function peerOf(fd: number): { pid: number; uid: number } | undefined {
  const credentials = new Uint8Array(12);
  const length = Uint8Array.of(12, 0, 0, 0);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0) return undefined;
  const view = new DataView(credentials.buffer);
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true) };
}

/** Whether the other end has closed the connection. Data that it sent is dropped. */
function hasEnded(fd: number): boolean {
  const bytes = new Uint8Array(64);
  const length = libc.recv(fd, bytes, bytes.length, 0);
  return length === 0 || (length < 0 && codeOf(libc.errno()) !== 'EAGAIN');
}

/** Holds the name while its socket listens. Connections of root are held open, so that their ends notice when we end. Others are closed. */
class Listener implements HeldName {
  readonly #fd: number;
  readonly #poll: libc.PollHandle;
  #waiters: number[] = [];

  constructor(fd: number) {
    this.#fd = fd;
    this.#poll = libc.watchReadable(fd, () => this.#accept());
  }

  close(): void {
    this.#poll.stop();
    this.#poll.close();
    for (const fd of [this.#fd, ...this.#waiters]) libc.close(fd);
    this.#waiters = [];
  }

  /** Accepts one connection in each turn of the event loop, so that a client that reconnects all the time does not block it. */
  #accept(): void {
    const fd = libc.accept(this.#fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    for (const waiter of this.#waiters.filter(hasEnded)) {
      libc.close(waiter);
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
    }
    const isWelcome = peerOf(fd)?.uid === 0 && this.#waiters.length < waiterLimit;
    if (isWelcome) this.#waiters.push(fd);
    else libc.close(fd);
  }
}

class Holder implements NameHolder {
  readonly uid: number;
  readonly pid: number;
  readonly #fd: number;
  #poll: libc.PollHandle | undefined;

  constructor(fd: number, { uid, pid }: { uid: number; pid: number }) {
    this.#fd = fd;
    this.uid = uid;
    this.pid = pid;
  }

  async ended(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const onAbort = () => resolve();
      signal.addEventListener('abort', onAbort, { once: true });
      this.#poll = libc.watchReadable(this.#fd, () => {
        if (!hasEnded(this.#fd)) return;
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  close(): void {
    this.#poll?.stop();
    this.#poll?.close();
    libc.close(this.#fd);
  }
}
