import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { listenRestartably } from '@kube-proxy-ipvs/test-apiserver/restartable-port';

/**
 * A TCP proxy that fails on demand, so that the same faults strike any server, encrypted or not: connections are
 * refused, cut at a byte, or swallow everything.
 */
export class FlakyProxy implements AsyncDisposable {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #leaving = new Set<() => void>();
  #cutAfter = Number.POSITIVE_INFINITY;
  #isFrozen = false;
  #port = 0;
  #count = 0;

  constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** `127.0.0.1:40123` */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** How many connections there were. */
  get count(): number {
    return this.#count;
  }

  /** How many connections there are. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Resolves when nobody is connected any more. */
  async idle(): Promise<void> {
    while (this.#pairs.size > 0) await new Promise<void>((resolve) => this.#leaving.add(resolve));
  }

  /** Accepts connections, at the same address as before. */
  async start(): Promise<void> {
    const listen = async (port: number) => {
      this.#server.listen(port, '127.0.0.1');
      await once(this.#server, 'listening');
    };
    if (this.#port === 0) this.#port = await listenRestartably(listen);
    else await listen(this.#port);
  }

  /** Cuts every connection and refuses new ones. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  /** Cuts every connection now. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Cuts every connection, present and future, after so many more bytes from the server; without a number no more. */
  cutAfter(bytes = Number.POSITIVE_INFINITY): void {
    this.#cutAfter = bytes;
  }

  /** Present connections swallow what comes from the server from now on; new ones work. */
  freeze(): void {
    for (const [, server] of this.#pairs) server.removeAllListeners('data').resume();
  }

  /** New connections are accepted, and nothing more happens on them, until {@link thaw}. */
  freezeNew(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #accept(client: Socket): void {
    this.#count++;
    const server = connect(this.#target);
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    for (const [socket, other] of [pair, [server, client]] as const) {
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => {
        other.destroy();
        this.#pairs.delete(pair);
        for (const resolve of this.#leaving) resolve();
        this.#leaving.clear();
      });
      socket.on('end', () => other.end());
    }
    if (this.#isFrozen) return;
    client.on('data', (chunk) => server.write(chunk));
    server.on('data', (chunk) => {
      this.#cutAfter -= chunk.length;
      if (this.#cutAfter > 0) return void client.write(chunk);
      client.end(chunk.subarray(0, Math.max(0, chunk.length + this.#cutAfter)), () =>
        client.destroy(),
      );
    });
  }
}
