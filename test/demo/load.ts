import type { Host } from '../support/network/network.ts';
import type { SocketAddress } from '../support/network/sockets.ts';
import { get, type Reply } from './http.ts';
import { pause } from './wait.ts';

/** Clients that ask one after the other without end, each request on a connection of its own, and count. */
export class Load {
  readonly replies: Reply[] = [];
  readonly failures: string[] = [];
  readonly #stop = new AbortController();
  readonly #clients: Promise<void>[] = [];

  /** Adds a client; it begins at once. */
  add(from: Host, to: SocketAddress): void {
    this.#clients.push(this.#ask(from, to));
  }

  /** Requests that a pod answered. */
  answeredBy(pod: string): number {
    return this.replies.filter((reply) => reply.pod === pod).length;
  }

  /** Ends when the requests that are on their way were answered. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#clients);
  }

  async #ask(from: Host, to: SocketAddress): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        this.replies.push(await get(from, to));
      } catch (error) {
        this.failures.push(
          `${from.name}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      await pause(10);
    }
  }
}
