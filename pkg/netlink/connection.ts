import { KernelError } from '../errno/errno.ts';
import { Batch, type BatchFailure, type BatchOptions } from './batch.ts';
import { Channel, type ChannelOptions, unfit } from './channel.ts';
import { codeOf } from './codes.ts';
import { Dumper, type DumpOptions } from './dump.ts';
import type { Command, ErrorReply } from './message.ts';
import { type DatagramSocket, NetlinkSocket, type SocketOptions } from './socket.ts';

/** How a connection is opened. `timeout` is 3 s by default. */
export interface ConnectionOptions extends SocketOptions, Partial<ChannelOptions> {}

const answerTimeout = 3_000; // ms
/** Room for a full batch of large messages, and for the errors of a batch that fails whole. */
const bufferSize = 1 << 20;

/**
 * Opens a connection of a NETLINK_* protocol. Requests and batches block, because the kernel answers within the system call;
 * only dumps let the event loop turn.
 */
export function openConnection(protocol: number, options: ConnectionOptions = {}): Connection {
  return new Connection(
    () =>
      NetlinkSocket.open(protocol, {
        sendBuffer: bufferSize,
        receiveBuffer: bufferSize,
        ...options,
      }),
    {
      ...options,
      timeout: options.timeout ?? answerTimeout,
    },
  );
}

/** Requests, batches and dumps of one protocol. Made by {@link openConnection}; whoever opened it closes it. */
export class Connection {
  readonly #channel: Channel;
  readonly #dumper: Dumper;

  constructor(open: () => DatagramSocket, options: ChannelOptions) {
    this.#channel = new Channel(open(), options);
    this.#dumper = new Dumper(open, options);
  }

  /** Sends one request and returns what the kernel answered before its acknowledgement; throws KernelError. */
  request<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
    operation: string,
  ): readonly Reply[] {
    const { writer } = this.#channel;
    writer.truncate(0);
    try {
      this.#channel.put(command, { value, flags: 0, position: 0 });
    } catch (error) {
      throw unfit(operation, error);
    }
    const replies: Reply[] = [];
    const refusals: ErrorReply[] = [];
    const errno = this.#channel.exchange(
      { length: writer.length, count: 1, last: 0 },
      {
        onError: (_, reply) => refusals.push(reply),
        onReply: () => replies.push(this.#channel.readReply(command, operation)),
      },
    );
    if (errno !== 0) throw new KernelError(operation, codeOf(errno));
    for (const reply of refusals) throw this.#channel.refusal(operation, reply);
    return replies;
  }

  /**
   * Sends a message for each item, in order, and tells which failed; all others were done. ENOBUFS and ETIMEDOUT mean that the
   * answer is lost and the item may have been done: read back and compare. An item that does not fit its schema is ERANGE.
   */
  batch<T>(items: readonly T[], options: BatchOptions<T>): readonly BatchFailure[] {
    return new Batch(this.#channel, items, options).run();
  }

  /** Reads every object, one call back each; throws KernelError. Dumps of one connection run one after the other. */
  dump<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
    options: DumpOptions<Reply>,
  ): Promise<void> {
    return this.#dumper.dump(command, value, options);
  }

  /** Reads every object; throws KernelError. */
  async list<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
    operation: string,
  ): Promise<readonly Reply[]> {
    const replies: Reply[] = [];
    const onRestart = () => {
      replies.length = 0;
    };
    await this.dump(command, value, {
      operation,
      onReply: (reply) => replies.push(reply),
      onRestart,
    });
    return replies;
  }

  /** Closes its sockets. A dump that is under way fails with EBADF. */
  close(): void {
    this.#channel.socket.close();
    this.#dumper.close();
  }
}
