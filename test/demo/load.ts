import { get, type Reply } from '../support/network/http.ts';
import type { Host } from '../support/network/network.ts';
import type { SocketAddress } from '../support/network/sockets.ts';
import { pause } from './wait.ts';

/** A request that was answered, and when it was made, by the clock of `performance.now()`. */
export interface Answered extends Reply {
  readonly made: number;
}

/** Clients that ask one after the other without end, each request on a connection of its own. */
export class Load {
  readonly answered: Answered[] = [];
  readonly failures: string[] = [];
  readonly #stop = new AbortController();
  readonly #clients: Promise<void>[] = [];

  /** Adds a client; it begins at once. */
  add(from: Host, to: SocketAddress): void {
    this.#clients.push(this.#ask(from, to));
  }

  /** Those that were made after a moment, and answered by now. */
  since(moment: number): Answered[] {
    return this.answered.filter(({ made }) => made > moment);
  }

  /** Ends when the requests that are on their way were answered. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#clients);
  }

  async #ask(from: Host, to: SocketAddress): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const made = performance.now();
      try {
        this.answered.push({ ...(await get(from, to)), made });
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.failures.push(`${from.name}: ${why}`);
      }
      await pause(10);
    }
  }
}
