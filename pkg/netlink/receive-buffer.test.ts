import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { errnoNumber } from './codes.ts';
import * as libc from './libc.ts';
import { ReceiveBuffer } from './receive-buffer.ts';

// Datagrams of UNIX sockets in place of the kernel's: nobody needs to be root for them.

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const EAGAIN = errnoNumber('EAGAIN');
const EMSGSIZE = errnoNumber('EMSGSIZE');
const headerLength = 16;

let fd: number;
let send: (bytes: Uint8Array) => void;

beforeEach(() => {
  // struct sockaddr_un of an abstract name: its path begins with a zero byte.
  const name = Buffer.from(`receive-buffer-${process.pid}-${Math.random()}`);
  const address = Uint8Array.of(AF_UNIX, 0, 0, ...name);
  const sender = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
  fd = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
  onTestFinished(() => {
    libc.close(fd);
    libc.close(sender);
  });
  expect(libc.bind(fd, address, address.length)).toBe(0);
  send = (bytes) => {
    const sent = libc.sendto(sender, bytes, bytes.length, 0, address, address.length);
    expect(sent).toBe(bytes.length);
  };
});

/** A datagram with messages of these sequence numbers, without payloads. */
function datagram(...sequences: readonly number[]): Uint8Array {
  const words = sequences.flatMap((sequence) => [headerLength, 0, sequence, 0]);
  return new Uint8Array(Uint32Array.from(words).buffer);
}

/** The sequence numbers in the next datagram, or an errno. */
function next(buffer: ReceiveBuffer): readonly number[] | number {
  const errno = buffer.next(fd);
  if (errno !== 0) return errno;
  const sequences: number[] = [];
  while (buffer.messages.next()) sequences.push(buffer.messages.sequence);
  return sequences;
}

test('two datagrams take one system call, and come in order', () => {
  const receive = vi.spyOn(libc, 'recvmmsg');
  onTestFinished(() => receive.mockRestore());
  const buffer = new ReceiveBuffer({ length: 64, datagrams: 2 });
  for (const sequences of [[1, 2], [3], [4, 5, 6]]) send(datagram(...sequences));
  expect(next(buffer)).toEqual([1, 2]);
  expect(next(buffer)).toEqual([3]);
  expect(receive).toHaveBeenCalledTimes(1);
  expect(next(buffer)).toEqual([4, 5, 6]);
  expect(receive).toHaveBeenCalledTimes(2);
  expect(next(buffer)).toBe(EAGAIN);
  send(datagram(7));
  expect(next(buffer)).toEqual([7]);
});

test('a datagram that is too long is an error, and those around it are read', () => {
  const buffer = new ReceiveBuffer({ length: 2 * headerLength, datagrams: 2 });
  for (const sequences of [[1], [2, 3, 4], [5], [6, 7]]) send(datagram(...sequences));
  expect([1, 2, 3, 4].map(() => next(buffer))).toEqual([[1], EMSGSIZE, [5], [6, 7]]);
});

test('one datagram at a time leaves the others to whoever polls', () => {
  const buffer = new ReceiveBuffer({ length: 64, datagrams: 1 });
  for (const sequence of [1, 2]) send(datagram(sequence));
  expect(next(buffer)).toEqual([1]);
  const poll = new Uint8Array(8);
  new DataView(poll.buffer).setInt32(0, fd, true);
  poll[4] = 1; // POLLIN
  expect(libc.poll(poll, 1, 0)).toBe(1);
  expect(next(buffer)).toEqual([2]);
  expect(libc.poll(poll, 1, 0)).toBe(0);
});

test('what cannot be received is its errno', () => {
  const buffer = new ReceiveBuffer({ length: 64, datagrams: 2 });
  expect(buffer.next(-1)).toBe(errnoNumber('EBADF'));
});
