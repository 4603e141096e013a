import { KernelError } from '../errno/errno.ts';
import { Batch, type BatchFailure, type BatchOptions } from './batch.ts';
import { Channel, type ChannelOptions, unfit } from './channel.ts';
import { codeOf } from './codes.ts';
import { Dumper, type DumpOptions, listOf } from './dump.ts';
import type { Command, ErrorReply } from './message.ts';
import { beginTransaction, endTransaction } from './netfilter.ts';
import { type DatagramSocket, NetlinkSocket, type SocketOptions } from './socket.ts';

/** How a connection is opened. `timeout` is 3 s by default. */
export interface ConnectionOptions extends SocketOptions, Partial<ChannelOptions> {}

/** One request, and its name in errors. */
export interface OneRequest<Request> {
  readonly command: Command<Request, unknown>;
  readonly value: Request;
  readonly operation: string;
}

const answerTimeout = 3_000; // ms
/** Room for a whole batch of large messages, or for its errors. */
const bufferSize = 1 << 20;

/**
 * Opens a connection of a NETLINK_* protocol. Requests and batches block, as the kernel answers within the system call. Only dumps
 * let the event loop turn.
 */
export function openConnection(protocol: number, options: ConnectionOptions = {}): Connection {
  return new Connection(
    () =>
      NetlinkSocket.open(protocol, {
        sendBuffer: bufferSize,
        receiveBuffer: bufferSize,
        // An answer with its acknowledgement, or the last objects of a dump with its end.
        datagrams: 2,
        ...options,
      }),
    {
      ...options,
      timeout: options.timeout ?? answerTimeout,
    },
  );
}

/** Requests, batches and dumps of one protocol. Made by {@link openConnection}. The caller closes it. */
export class Connection {
  readonly #channel: Channel;
  readonly #dumper: Dumper;

  constructor(open: () => DatagramSocket, options: ChannelOptions) {
    this.#channel = new Channel(open(), options);
    this.#dumper = new Dumper(open, options);
  }

  /** Sends one request and returns what the kernel answered before the acknowledgement. Throws KernelError. */
  request<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
    operation: string,
  ): readonly Reply[] {
    const { writer } = this.#channel;
    writer.truncate(0);
    try {
      this.#channel.put(command, value);
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

  /** Sends one request to a netfilter subsystem that only takes transactions (nf_tables). Throws KernelError. */
  transaction<Request>(
    subsystem: number,
    { command, value, operation }: OneRequest<Request>,
  ): void {
    const { writer } = this.#channel;
    const edge = { family: 0, subsystem };
    writer.truncate(0);
    this.#channel.put(beginTransaction, edge);
    const last = writer.length;
    try {
      this.#channel.put(command, value, 1);
    } catch (error) {
      throw unfit(operation, error);
    }
    // The kernel does not acknowledge the end of a transaction: the answer to the request is the last one.
    this.#channel.put(endTransaction, edge, 1);
    const refusals: ErrorReply[] = [];
    const onError = (_: number, reply: ErrorReply) => refusals.push(reply);
    const exchange = { length: writer.length, count: 2, last };
    const errno = this.#channel.exchange(exchange, { onError, onReply() {} });
    for (const reply of refusals) throw this.#channel.refusal(operation, reply);
    if (errno !== 0) throw new KernelError(operation, codeOf(errno));
  }

  /**
   * Sends a message for each item, in order, and returns the failed ones. All others were done. ENOBUFS and ETIMEDOUT mean that the
   * answer was lost: the item may have been done, and must be read back. An item that does not fit its schema is ERANGE.
   */
  batch<T>(items: readonly T[], options: BatchOptions<T>): readonly BatchFailure[] {
    return new Batch(this.#channel, items, options).run();
  }

  /** Reads all objects with a callback for each. Throws KernelError. Dumps of one connection run one after the other. */
  dump<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
    options: DumpOptions<Reply>,
  ): Promise<void> {
    return this.#dumper.dump(command, value, options);
  }

  /** Reads all objects. Throws KernelError. */
  list<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
    operation: string,
  ): Promise<readonly Reply[]> {
    return listOf((handlers) => this.dump(command, value, { operation, ...handlers }));
  }

  /** Closes the sockets. A dump that is under way fails with EBADF. */
  close(): void {
    this.#channel.socket.close();
    this.#dumper.close();
  }
}
