import { watchReadable } from '../../../pkg/netlink/libc.ts';
import { ip } from '../../support/addresses.ts';
import { serverSocket } from '../../support/network/host-socket.ts';
import type { Host, Network } from '../../support/network/network.ts';
import {
  acceptSocket,
  closeSocket,
  EAGAIN,
  receiveFrom,
  receiveText,
  sendText,
  sendTo,
} from '../../support/network/sockets.ts';

/** The ports of every pod: one request a connection, many requests a connection, streams, and datagrams. */
export const ports = { short: 8080, keepAlive: 8081, stream: 8082, dns: 5353 } as const;

/** The node port of a port that speaks TCP. */
export function nodePort(port: number): number {
  return 30_000 + (port % 1_000);
}

/** A pod that behaves as a real one: it serves until a signal ends it, finishes what it began, and is cut off at last. */
export class Pod {
  readonly name: string;
  readonly uid: string;
  readonly address: string;
  readonly host: Host;
  readonly #network: Network;
  readonly #closers = new Set<() => void>();
  readonly #listeners: (() => void)[] = [];
  #isEnding = false;

  constructor(network: Network, number: number) {
    this.#network = network;
    this.name = `p${number}`;
    this.uid = `uid-${number}`;
    this.address = `10.0.${Math.floor(number / 250)}.${(number % 250) + 1}`;
    this.host = network.addPod(this.name, [ip(this.address)]);
  }

  /** The processes start; making the machine they run on took the time of this one, and is done before. */
  start(): void {
    this.#listen(ports.short, 'short');
    this.#listen(ports.keepAlive, 'keepAlive');
    this.#listen(ports.stream, 'stream');
    this.#answerDatagrams();
  }

  /** SIGTERM: no new connections; connections that stay are closed after their next answer, streams go on. */
  terminate(): void {
    this.#isEnding = true;
    for (const stop of this.#listeners.splice(0)) stop();
  }

  /** The end of the grace period: the network first, so that the pod itself resets nobody. */
  kill(): void {
    this.cut();
    for (const close of [...this.#closers]) close();
    for (const stop of this.#listeners.splice(0)) stop();
  }

  /** The machine is lost: nothing goes in or out. */
  cut(): void {
    this.#network.cut(this.host);
  }

  #open(protocol: 'TCP' | 'UDP', port: number): number {
    return serverSocket(this.host, protocol, { address: ip(this.address), port });
  }

  #listen(port: number, kind: 'short' | 'keepAlive' | 'stream'): void {
    const fd = this.#open('TCP', port);
    const handle = watchReadable(fd, () => {
      for (let got = acceptSocket(fd); got !== undefined; got = acceptSocket(fd))
        this.#converse(got.fd, kind);
    });
    this.#listeners.push(() => {
      handle.close();
      closeSocket(fd);
    });
  }

  #converse(fd: number, kind: 'short' | 'keepAlive' | 'stream'): void {
    const handle = watchReadable(fd, () => {
      const got = receiveText(fd);
      if (got === EAGAIN) return;
      if (typeof got === 'number' || got === '') return close();
      const isLast = kind === 'short' || (kind === 'keepAlive' && this.#isEnding);
      sendText(fd, `${this.name}${isLast ? ' close' : ''}\n`);
      if (isLast) close();
    });
    const close = (): void => {
      if (!this.#closers.delete(close)) return;
      handle.close();
      closeSocket(fd);
    };
    this.#closers.add(close);
  }

  #answerDatagrams(): void {
    const fd = this.#open('UDP', ports.dns);
    const handle = watchReadable(fd, () => {
      for (let got = receiveFrom(fd); got !== undefined; got = receiveFrom(fd)) {
        sendTo(fd, { text: `${this.name} ${got.text}`, to: got.peer });
      }
    });
    // Queries in flight are answered to the very end.
    this.#closers.add(() => {
      handle.close();
      closeSocket(fd);
    });
  }
}
