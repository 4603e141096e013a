import { setTimeout } from 'node:timers/promises';
import { type Connection, open, type Request } from './network/client.ts';
import type { Host } from './network/network.ts';
import { patience, silence } from './patience.ts';

/** Milliseconds between two exchanges. A stream is one of many, and the program under test is in the same process. */
const pause = 100;

/**
 * A long-lived connection on which numbered bytes go to and fro, several times a second: each message is sent back by the server and
 * compared byte by byte, and the first one that is not ends it.
 */
export class Stream {
  /** From where it is, to where, for messages. */
  readonly name: string;
  /** What went wrong: `undefined` as long as nothing did. */
  failure: string | undefined;
  readonly #connection: Connection;
  readonly #loop: Promise<void>;
  #count = 0;
  #isStopped = false;

  private constructor(connection: Connection, name: string) {
    this.#connection = connection;
    this.name = name;
    this.#loop = this.#exchange();
  }

  /** Opens one; throws if there is no connection. */
  static async open(host: Host, request: Request): Promise<Stream> {
    const { protocol, address, port } = request;
    const name = `${protocol} from ${host.name} to ${address} ${port}`;
    return new Stream(await connect(host, request), name);
  }

  /** Waits for so many more exchanges, or for the first that failed. What went wrong. */
  async next(count: number): Promise<string | undefined> {
    const goal = this.#count + count;
    const isOver = () => this.failure !== undefined || this.#count >= goal;
    await this.#until(isOver);
    return this.failure;
  }

  /** Waits until something goes wrong. What it was. */
  async end(): Promise<string> {
    await this.#until(() => this.failure !== undefined);
    return this.failure ?? 'nothing';
  }

  /** Ends it after the exchange under way, or without its answer if that does not come. How many there were. */
  async stop(): Promise<number> {
    this.#isStopped = true;
    const over = new AbortController();
    const late = setTimeout(silence, undefined, over).catch(() => {});
    await Promise.race([this.#loop, late]);
    over.abort();
    this.#connection.close();
    await this.#loop;
    return this.#count;
  }

  /** Waits until a condition holds. */
  async #until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + patience;
    while (!condition() && performance.now() < deadline) await setTimeout(5);
    if (!condition()) this.failure ??= `nothing happened after ${this.#count} exchanges`;
  }

  async #exchange(): Promise<void> {
    while (!this.#isStopped && this.failure === undefined) {
      const text = `#${`${this.#count}.`.repeat(20)}`;
      const answer = await this.#connection.ask(text);
      if (answer.kind !== 'answer') this.failure = answer.kind;
      else if (answer.server !== text) this.failure = `${text} came back as ${answer.server}`;
      else this.#count++;
      await setTimeout(pause);
    }
  }
}

/** A connection that stays; throws if there is none. */
export async function connect(host: Host, request: Request): Promise<Connection> {
  const opened = await open(host, request);
  if ('kind' in opened)
    throw new Error(`no ${request.protocol} connection from ${host.name}: ${opened.kind}`);
  return opened;
}
