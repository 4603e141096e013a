import type { BatchFailure, BatchOptions } from '../../pkg/netlink/batch.ts';
import type { Connection } from '../../pkg/netlink/connection.ts';
import type { DumpOptions } from '../../pkg/netlink/dump.ts';
import type { Command } from '../../pkg/netlink/message.ts';
import type { Codec } from '../../pkg/wire/codec.ts';
import { Writer } from '../../pkg/wire/writer.ts';

/** A request that would have been sent. */
export interface RecordedRequest {
  readonly name: string;
  readonly type: number;
  readonly codec: Codec<unknown>;
  /** What would follow nlmsghdr. */
  readonly payload: Uint8Array;
}

/** A connection that keeps what it should send, and answers each request with what a test gives it, or with nothing. An error is thrown. */
export class RecordingConnection
  implements Pick<Connection, 'request' | 'batch' | 'dump' | 'list' | 'close'>
{
  readonly requests: RecordedRequest[] = [];
  readonly #answers: Readonly<Record<string, unknown>>;

  /** Answers by the kernel's name of the command. */
  constructor(answers: Readonly<Record<string, unknown>> = {}) {
    this.#answers = answers;
  }

  request<Request, Reply>(command: Command<Request, Reply>, value: Request): readonly Reply[] {
    this.#record(command, value);
    const answer = this.#answers[command.name];
    if (answer instanceof Error) throw answer;
    return answer === undefined ? [] : [answer as Reply]; // as the test that made it says
  }

  batch<T>(items: readonly T[], { put }: BatchOptions<T>): readonly BatchFailure[] {
    for (const item of items) put(item, { put: (command, value) => this.#record(command, value) });
    return [];
  }

  async dump<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
    _options: DumpOptions<Reply>,
  ): Promise<void> {
    this.#record(command, value);
  }

  async list<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
  ): Promise<readonly Reply[]> {
    return this.request(command, value);
  }

  close(): void {}

  /** For those who ask for a whole connection, though they use no more than is here. */
  asConnection(): Connection {
    return this as unknown as Connection;
  }

  #record<Request>({ name, type, request }: Command<Request, unknown>, value: Request): void {
    // What is no table has one that writes the same bytes.
    const codec = request.table ?? (request as Codec<unknown>);
    const writer = new Writer(256);
    request.encode(writer, value);
    this.requests.push({ name, type, codec, payload: writer.written() });
  }
}
