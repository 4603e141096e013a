import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import { decode } from '../wire/codec.ts';
import { DecodeError, isLittleEndian, Reader } from '../wire/reader.ts';
import { EncodeError, Writer } from '../wire/writer.ts';
import { codeOf, errnoNumber } from './codes.ts';
import {
  askForAck,
  type Command,
  type ErrorReply,
  NLMSG_ERROR,
  NLMSG_MIN_TYPE,
  payloadAt,
  putMessage,
  readErrorReply,
  sequenceOffset,
} from './message.ts';
import type { DatagramSocket } from './socket.ts';
import type { Trace } from './trace.ts';

/** Options of a channel besides its socket. */
export interface ChannelOptions {
  /** How long to wait for an answer before it is ETIMEDOUT, in milliseconds. */
  readonly timeout: number;
  readonly trace?: Trace | undefined;
  /**
   * Called for every error: those that the kernel answers, also expected ones, and lost or malformed answers. `type` is the
   * nlmsg_type of the message that was written last. It must not throw.
   */
  readonly onError?: ((code: ErrnoCode, type: number) => void) | undefined;
}

/** Receives the answers to the messages of one send, by the position of the message. */
export interface AnswerHandler {
  onError(position: number, reply: ErrorReply): void;
  /** The payload is at the socket's cursor. */
  onReply(position: number): void;
}

const EPERM = errnoNumber('EPERM');
const EBADMSG = errnoNumber('EBADMSG');
const ENOBUFS = errnoNumber('ENOBUFS');

/** One socket with a buffer for writing, and the sequence numbers that match answers to requests. */
export class Channel {
  readonly socket: DatagramSocket;
  readonly writer = new Writer(65_536);
  readonly options: ChannelOptions;
  #sequence = 0;
  /** Of the message that was written last. */
  #type = 0;

  constructor(socket: DatagramSocket, options: ChannelOptions) {
    this.socket = socket;
    this.options = options;
  }

  /**
   * Appends the message with this position in the next send, and returns where it starts. Throws EncodeError if its value does not
   * fit, and appends nothing.
   */
  put<Request>(command: Command<Request, unknown>, value: Request, position = 0): number {
    const sequence = (this.#sequence + position) >>> 0;
    this.#type = command.type;
    const start = putMessage(this.writer, command, value);
    this.writer.view.setUint32(start + sequenceOffset, sequence, isLittleEndian);
    if (this.options.trace !== undefined) this.#traceRequest(command, { value, start, sequence });
    return start;
  }

  #traceRequest<Request>(
    command: Command<Request, unknown>,
    { value, start, sequence }: { value: Request; start: number; sequence: number },
  ): void {
    const { table } = command.request;
    this.options.trace?.({
      kind: 'request',
      command: command as Command<unknown, unknown>,
      sequence,
      value: table === undefined ? value : decode(table, payloadAt(this.writer, start)),
    });
  }

  /** Sends the first `length` bytes, which are `count` messages, the last one at `last`, and passes on the answers. Returns 0 or an errno. */
  exchange(
    { length, count, last }: { length: number; count: number; last: number },
    handler: AnswerHandler,
  ): number {
    askForAck(this.writer, last);
    const first = this.#sequence;
    this.#sequence = (first + count) >>> 0;
    const errno =
      this.socket.send(this.writer.bytes, length) || this.#collected(first, count, handler);
    if (errno !== 0) this.failed(errno);
    return errno;
  }

  #collected(first: number, count: number, handler: AnswerHandler): number {
    try {
      return this.#collect(first, count, handler);
    } catch (error) {
      if (error instanceof DecodeError) return EBADMSG;
      throw error;
    }
  }

  /** Reports an error to `onError`. */
  failed(errno: number): void {
    this.options.onError?.(codeOf(errno), this.#type);
  }

  /** Sends the one message in the buffer. Returns its sequence number, or a negative errno. */
  start(): number {
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) >>> 0;
    const errno = this.socket.send(this.writer.bytes, this.writer.length);
    if (errno === 0) return sequence;
    this.failed(errno);
    return -errno;
  }

  /** Reads until the last message is acknowledged or, after answers were lost, until none is left. Answers to older messages are dropped. */
  #collect(first: number, count: number, handler: AnswerHandler): number {
    let deadline = performance.now() + this.options.timeout;
    let isLost = false;
    for (;;) {
      const errno = this.socket.receive(deadline);
      if (errno === ENOBUFS) {
        isLost = true;
        deadline = 0; // the kernel answered before send returned, so what is not there was lost
      } else if (errno !== 0) return isLost ? ENOBUFS : errno;
      else if (this.#deliver(first, count, handler)) return isLost ? ENOBUFS : 0;
    }
  }

  /** Passes on the messages of one datagram. True if the last answer was among them. */
  #deliver(first: number, count: number, handler: AnswerHandler): boolean {
    const { messages } = this.socket;
    let isLast = false;
    while (messages.next()) {
      const position = (messages.sequence - first) >>> 0;
      if (position >= count) continue;
      if (messages.type >= NLMSG_MIN_TYPE) handler.onReply(position);
      else if (messages.type === NLMSG_ERROR) {
        const reply = this.readError();
        if (reply.errno !== 0) handler.onError(position, reply);
        if (position === count - 1) isLast = true;
      }
    }
    return isLast;
  }

  /** Reads the NLMSG_ERROR at the cursor. */
  readError(): ErrorReply {
    const reply = readErrorReply(this.socket.messages);
    this.options.trace?.({ kind: 'error', sequence: this.socket.messages.sequence, reply });
    if (reply.errno !== 0) this.failed(reply.errno);
    return reply;
  }

  /** Reads the payload at the cursor as the command's reply; throws KernelError EBADMSG. */
  readReply<Reply>(command: Command<unknown, Reply>, operation: string): Reply {
    const { reader } = this.socket.messages;
    const start = reader.offset;
    try {
      const value = command.reply.decode(reader);
      if (this.options.trace !== undefined) this.#traceReply(command, { value, start });
      return value;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.failed(EBADMSG);
      throw new KernelError(operation, 'EBADMSG', {
        detail: `${command.name}: ${error.message}`,
        cause: error,
      });
    }
  }

  #traceReply<Reply>(
    command: Command<never, Reply>,
    { value, start }: { value: Reply; start: number },
  ): void {
    const { reader, sequence } = this.socket.messages;
    const { table } = command.reply;
    this.options.trace?.({
      kind: 'reply',
      command: command as Command<unknown, unknown>,
      sequence,
      value:
        table === undefined ? value : table.decode(new Reader(reader.bytes, start, reader.end)),
    });
  }

  /** The error for a request that the kernel refused. */
  refusal(operation: string, { errno, detail }: Pick<ErrorReply, 'errno' | 'detail'>): KernelError {
    // The meaning in every protocol that is used here; none sends a text.
    const isForbidden = errno === EPERM && detail === '';
    const sentence = isForbidden ? 'needs the capability CAP_NET_ADMIN' : detail;
    return new KernelError(operation, codeOf(errno), { detail: sentence });
  }
}

/** The error for a request whose value does not fit its schema. Rethrows all but an EncodeError. */
export function unfit(operation: string, error: unknown): KernelError {
  if (!(error instanceof EncodeError)) throw error;
  return new KernelError(operation, 'ERANGE', { detail: error.message, cause: error });
}
