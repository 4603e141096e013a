import { KernelError } from '../errno/errno.ts';
import { DecodeError } from '../wire/reader.ts';
import { Channel, type ChannelOptions, unfit } from './channel.ts';
import { codeOf, errnoNumber } from './codes.ts';
import {
  askForAll,
  type Command,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
} from './message.ts';
import type { DatagramSocket } from './socket.ts';

/** Options of a dump. */
export interface DumpOptions<Reply> {
  /** What is read, for errors: `list virtual servers`. */
  readonly operation: string;
  /** Called with each object. It must not wait for another dump. */
  readonly onReply: (reply: Reply) => void;
  /** Called if the objects changed meanwhile: everything so far is invalid, and the dump is repeated. */
  readonly onRestart: () => void;
}

/** Makes a dump that may be restarted, and returns its objects. */
export async function listOf<Reply>(
  dump: (handlers: Pick<DumpOptions<Reply>, 'onReply' | 'onRestart'>) => Promise<void>,
): Promise<readonly Reply[]> {
  const replies: Reply[] = [];
  await dump({
    onReply: (reply) => replies.push(reply),
    onRestart: () => {
      replies.length = 0;
    },
  });
  return replies;
}

const EBADMSG = errnoNumber('EBADMSG');
const EINTR = errnoNumber('EINTR');
const attempts = 5;
/** After how long a dump lets the event loop turn. */
const longestStretch = 8; // ms

/** Runs dumps one after the other on a socket of their own, so that requests can be sent meanwhile. The socket is opened at the first dump. */
export class Dumper {
  readonly #open: () => DatagramSocket;
  readonly #options: ChannelOptions;
  #channel: Channel | undefined;
  #isClosed = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(open: () => DatagramSocket, options: ChannelOptions) {
    this.#open = open;
    this.#options = options;
  }

  /** Reads all objects. Throws KernelError. */
  dump<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
    options: DumpOptions<Reply>,
  ): Promise<void> {
    const dump = this.#last.then(() => this.#retry(command, value, options));
    this.#last = dump.catch(() => {}); // the caller has the error; the next dump only waits for the end
    return dump;
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #retry<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
    options: DumpOptions<Reply>,
  ): Promise<void> {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      if (attempt > 1) options.onRestart();
      try {
        if (await this.#once(command, value, options)) return;
        this.#channel?.failed(EINTR);
      } catch (error) {
        if (error instanceof DecodeError) this.#channel?.failed(EBADMSG);
        this.#drop(); // the rest of the dump may still be in its queue
        if (!(error instanceof DecodeError)) throw error;
        const detail = error.message;
        throw new KernelError(options.operation, 'EBADMSG', { detail, cause: error });
      }
    }
    throw new KernelError(options.operation, 'EINTR', {
      detail: `changed during each of ${attempts} dumps`,
    });
  }

  /** Runs a dump once. False if the objects changed meanwhile. */
  async #once<Request, Reply>(
    command: Command<Request, Reply>,
    value: Request,
    options: DumpOptions<Reply>,
  ): Promise<boolean> {
    const { operation, onReply } = options;
    const channel = this.#opened(operation);
    const sequence = start(channel, command, { value, operation });
    const { messages } = channel.socket;
    let isConsistent = true;
    let since = performance.now();
    for (;;) {
      const now = performance.now();
      if (now - since > longestStretch) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        since = performance.now();
      }
      const errno = channel.socket.receive(performance.now() + channel.options.timeout);
      if (errno !== 0) {
        channel.failed(errno);
        throw new KernelError(operation, codeOf(errno));
      }
      while (messages.next()) {
        if (messages.sequence !== sequence) continue;
        if ((messages.flags & NLM_F_DUMP_INTR) !== 0) isConsistent = false;
        if (messages.type === NLMSG_DONE || messages.type === NLMSG_ERROR) {
          finish(channel, operation);
          return isConsistent;
        }
        if (messages.type !== NLMSG_NOOP) onReply(channel.readReply(command, operation));
      }
    }
  }

  #opened(operation: string): Channel {
    if (this.#isClosed)
      throw new KernelError(operation, 'EBADF', { detail: 'the connection is closed' });
    this.#channel ??= new Channel(this.#open(), this.#options);
    return this.#channel;
  }

  #drop(): void {
    this.#channel?.socket.close();
    this.#channel = undefined;
  }
}

/** Sends the dump request. Returns its sequence number. */
function start<Request>(
  channel: Channel,
  command: Command<Request, unknown>,
  { value, operation }: { value: Request; operation: string },
): number {
  channel.writer.truncate(0);
  try {
    askForAll(channel.writer, channel.put(command, value));
  } catch (error) {
    throw unfit(operation, error);
  }
  const sequence = channel.start();
  if (sequence < 0) throw new KernelError(operation, codeOf(-sequence));
  return sequence;
}

/** Reads the end of a dump, which may be an error: in NLMSG_DONE during the dump, in NLMSG_ERROR before its start. */
function finish(channel: Channel, operation: string): void {
  const { messages } = channel.socket;
  if (messages.type === NLMSG_ERROR) throw channel.refusal(operation, channel.readError());
  const errno = messages.reader.remaining >= 4 ? -messages.reader.s32() : 0;
  if (errno <= 0) return;
  channel.failed(errno);
  throw channel.refusal(operation, { errno, detail: '' });
}
