import { expect } from 'vitest';
import { ask, type Request } from './network/client.ts';
import type { Host } from './network/network.ts';
import {
  addressOf,
  kinds as allKinds,
  type Kind,
  nameOf,
  printAnswer,
  type Table,
  type Target,
  table,
} from './traffic.ts';

/** A client that sends requests of every kind without pause, each after the answer to the last one, until it is stopped. */
export class Hammer {
  /** All answers of each kind, in order. */
  readonly answers: Table<string[]>;
  readonly #loops: readonly Promise<void>[];
  #isStopped = false;

  /**
   * Source ports are the kernel's choice, or one that is used again and again, or from `firstSourcePort` on: all of those are used before any comes again.
   * The kernel draws SCTP's and UDP's ports at random, so that among some hundred of them one comes twice. An unbound SCTP socket also
   * gives the server all addresses of its host, which NAT does not know; with `firstSourcePort` it is bound to one.
   */
  constructor(
    host: Host,
    {
      addresses,
      port,
      kinds = allKinds,
      firstSourcePort,
      ...over
    }: Target &
      Pick<Request, 'sourcePort' | 'patience'> & {
        kinds?: readonly Kind[];
        firstSourcePort?: number;
      },
  ) {
    this.answers = table(() => [], kinds);
    this.#loops = kinds.map(async (kind) => {
      const { protocol, family } = kind;
      for (let number = 0; !this.#isStopped; number++) {
        const answer = await ask(host, {
          protocol,
          address: addresses[family],
          port,
          ...(firstSourcePort !== undefined && {
            sourcePort: firstSourcePort + (number % (65_536 - firstSourcePort)),
            ...(protocol === 'SCTP' && { source: addressOf(host, family) }),
          }),
          ...over,
        });
        this.answers[nameOf(kind)]?.push(printAnswer(answer));
      }
    });
  }

  /** The last answer of each kind, whatever went wrong since. */
  lastAnswer(): Table<string | undefined> {
    return this.#each((answers) => answers.findLast((answer) => answer.includes(' saw ')));
  }

  /** The next answers of each kind, so many of them. */
  async next(count: number): Promise<Table<readonly string[]>> {
    const before = this.#each((answers) => answers.length);
    const more = () => this.#each((answers, name) => answers.slice(before[name]));
    await expect
      .poll(() => Math.min(...Object.values(more()).map(({ length }) => length)))
      .toBeGreaterThanOrEqual(count);
    return more();
  }

  /** What went wrong of each kind, in order; no `saw` in it. */
  failures(): Table<readonly string[]> {
    return this.#each((answers) => answers.filter((answer) => !answer.includes(' saw ')));
  }

  /** Ends it, once the requests under way have their answers. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }

  #each<T>(of: (answers: readonly string[], name: string) => T): Table<T> {
    return Object.fromEntries(
      Object.entries(this.answers).map(([name, answers]) => [name, of(answers, name)]),
    );
  }
}
