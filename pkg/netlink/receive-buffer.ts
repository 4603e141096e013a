import { isLittleEndian } from '../wire/reader.ts';
import { errnoNumber } from './codes.ts';
import * as libc from './libc.ts';
import { MessageCursor } from './message.ts';

/** Sizes and offsets of struct mmsghdr (its struct msghdr first) and struct iovec on 64-bit machines, in bytes. */
const header = { size: 64, iov: 16, iovCount: 24, length: 56 };
const vector = { size: 16, base: 0, length: 8 };

const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EINTR = errnoNumber('EINTR');
const EMSGSIZE = errnoNumber('EMSGSIZE');

/** How much a {@link ReceiveBuffer} takes. */
export interface ReceiveBufferSize {
  /** The longest datagram, in bytes. */
  readonly length: number;
  /** How many datagrams one system call may receive. */
  readonly datagrams: number;
}

/**
 * The memory that recvmmsg(2) writes datagrams to, and the cursor over the messages of one of them. The end of a dump is a datagram of
 * its own, so two of them in a call are half of the system calls of a short dump.
 */
export class ReceiveBuffer {
  /** The messages of the datagram that {@link next} moved to. */
  readonly messages: MessageCursor;
  readonly #size: ReceiveBufferSize;
  readonly #headers: DataView;
  readonly #headerBytes: Uint8Array;
  /** Tells the kernel the places of the datagrams, by address. That keeps nothing alive: this field and the cursor do. */
  readonly #vectors: Uint8Array;
  #received = 0;
  #read = 0;

  constructor(size: ReceiveBufferSize) {
    const { length, datagrams } = size;
    this.#size = size;
    const bytes = fixedBytes(length * datagrams);
    this.messages = new MessageCursor(bytes);
    this.#headerBytes = fixedBytes(header.size * datagrams);
    this.#headers = new DataView(this.#headerBytes.buffer);
    this.#vectors = fixedBytes(vector.size * datagrams);
    const vectors = new DataView(this.#vectors.buffer);
    const base = libc.address(bytes);
    const vectorBase = libc.address(this.#vectors);
    for (let index = 0; index < datagrams; index++) {
      const at = index * vector.size;
      vectors.setBigUint64(at + vector.base, base + BigInt(index * length), isLittleEndian);
      vectors.setBigUint64(at + vector.length, BigInt(length), isLittleEndian);
      const start = index * header.size;
      this.#headers.setBigUint64(start + header.iov, vectorBase + BigInt(at), isLittleEndian);
      this.#headers.setBigUint64(start + header.iovCount, 1n, isLittleEndian);
    }
  }

  /** Moves to the next datagram that is there already. Returns 0 or an errno: EAGAIN if there is none, EMSGSIZE if it was too long. */
  next(fd: number): number {
    if (this.#read === this.#received) {
      const errno = this.receive(fd);
      if (errno !== 0) return errno;
    }
    const index = this.#read++;
    const length = this.#headers.getUint32(index * header.size + header.length, isLittleEndian);
    const longest = this.#size.length;
    this.messages.reset(Math.min(length, longest), index * longest);
    return length > longest ? EMSGSIZE : 0;
  }

  /** One system call, besides interrupted ones, in place of the datagrams that are here. Returns 0 or an errno. */
  receive(fd: number): number {
    this.#received = 0;
    this.#read = 0;
    for (;;) {
      const flags = MSG_DONTWAIT | MSG_TRUNC;
      const received = libc.recvmmsg(fd, this.#headerBytes, this.#size.datagrams, flags);
      if (received >= 0) {
        this.#received = received;
        return 0;
      }
      const errno = libc.errno();
      if (errno !== EINTR) return errno;
    }
  }
}

/** Memory outside of V8's heap, so that it stays where it is: a short array of its own may lie inside, and be moved. */
function fixedBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}
