import { type Failure, KernelError } from '../errno/errno.ts';
import { type Channel, unfit } from './channel.ts';
import { codeOf } from './codes.ts';
import type { Command, ErrorReply } from './message.ts';

/** Receives the message of one item of a batch. */
export interface MessageSink {
  put<Request>(command: Command<Request, unknown>, value: Request): void;
}

/** How items are turned into messages. */
export interface BatchOptions<T> {
  /** Puts exactly one message. */
  readonly put: (item: T, sink: MessageSink) => void;
  /** What an item does, for errors: `add real server 10.0.0.7:80 to 10.96.0.1:443/TCP`. Called only after a failure. */
  readonly describe: (item: T) => string;
  /** How many messages go into one send; 64 by default. */
  readonly groupSize?: number;
}

/** A failed item. `echo` is the request's payload as the kernel returned it, see {@link ErrorReply}. */
export interface BatchFailure extends Failure {
  readonly error: KernelError;
  readonly echo: Uint8Array;
}

const defaultGroupSize = 64;
const nothing = new Uint8Array(0);

/** One pass over the items of a batch, group by group. */
export class Batch<T> implements MessageSink {
  readonly #channel: Channel;
  readonly #items: readonly T[];
  readonly #options: BatchOptions<T>;
  readonly #failures: BatchFailure[] = [];
  /** The items whose messages are in the buffer. */
  #indexes: number[] = [];
  /** The offsets of the last of those messages, and of their common end. */
  #last = 0;
  #end = 0;

  constructor(channel: Channel, items: readonly T[], options: BatchOptions<T>) {
    this.#channel = channel;
    this.#items = items;
    this.#options = options;
    channel.writer.truncate(0);
  }

  /** Sends everything. Returns the failed items by index. */
  run(): readonly BatchFailure[] {
    const groupSize = this.#options.groupSize ?? defaultGroupSize;
    const items = this.#items;
    const { put } = this.#options;
    // Short, as a first sync runs it ten thousand times before it is compiled.
    for (let index = 0; index < items.length; index++) {
      const item = items[index] as T; // within the list
      try {
        put(item, this);
      } catch (error) {
        this.#fail(index, unfit(this.#options.describe(item), error));
        continue;
      }
      this.#take(index);
      if (this.#indexes.length >= groupSize) this.#flush();
    }
    if (this.#indexes.length > 0) this.#flush();
    return this.#failures.sort((one, other) => one.index - other.index);
  }

  put<Request>(command: Command<Request, unknown>, value: Request): void {
    this.#channel.put(command, value, this.#indexes.length);
  }

  /** Adds the message behind `end` to the group. If both are too long for the socket, the group is sent first. */
  #take(index: number): void {
    const { writer, socket } = this.#channel;
    if (writer.length === this.#end)
      throw new Error(`no message for: ${this.#options.describe(this.#items[index] as T)}`);
    if (writer.length > socket.sendLimit && this.#indexes.length > 0) this.#flush();
    this.#last = this.#end;
    this.#end = writer.length;
    this.#indexes.push(index);
  }

  /** Sends the group. A message behind it moves to the front, and gets the next sequence number. */
  #flush(): void {
    const indexes = this.#indexes;
    let failed: Set<number> | undefined;
    const errno = this.#channel.exchange(
      { length: this.#end, count: indexes.length, last: this.#last },
      {
        onError: (position, reply) => {
          failed = (failed ?? new Set()).add(position);
          this.#refuse(indexes[position] ?? 0, reply);
        },
        onReply() {},
      },
    );
    this.#channel.writer.discard(this.#end);
    this.#indexes = [];
    this.#last = 0;
    this.#end = 0;
    if (errno === 0) return;
    for (const [position, index] of indexes.entries()) {
      if (failed?.has(position) !== true)
        this.#fail(index, new KernelError(this.#describe(index), codeOf(errno)));
    }
  }

  #refuse(index: number, reply: ErrorReply): void {
    this.#fail(index, this.#channel.refusal(this.#describe(index), reply), reply.echo);
  }

  #fail(index: number, error: KernelError, echo: Uint8Array = nothing): void {
    this.#failures.push({ index, error, echo });
  }

  #describe(index: number): string {
    return this.#options.describe(this.#items[index] as T); // indexes come from the items
  }
}
