import koffi from 'koffi';
import { familyOf, type IpAddress, unspecified } from '../../../pkg/ip/address.ts';
import type { Protocol } from '../../../pkg/ip/protocol.ts';
import { codeOf, errnoNumber } from '../../../pkg/netlink/codes.ts';
import { patience } from '../patience.ts';
import { clientSocket } from './host-socket.ts';
import type { Host } from './network.ts';
import {
  closeSocket,
  connectSocket,
  EINPROGRESS,
  receiveText,
  resetOnClose,
  sendText,
  silenceOnClose,
  socketError,
} from './sockets.ts';

/** Where a request goes, and how. */
export interface Request {
  readonly protocol: Protocol;
  readonly address: IpAddress;
  readonly port: number;
  /** A source port, to be reused at once if need be; by default the kernel chooses. */
  readonly sourcePort?: number;
  /** One of the host's addresses; by default the kernel chooses. */
  readonly source?: IpAddress;
  /** Milliseconds to wait for each step. By default an answer must come: give {@link silence} where none should. */
  readonly patience?: number;
}

/** What a client saw: an answer, or why there was none. */
export type Answer =
  | { readonly kind: 'answer'; readonly server: string; readonly peer: string }
  | { readonly kind: 'refused' | 'reset' | 'timeout' | 'unreachable' };

/** A connection that stays. UDP has one as well: a connected socket. */
export interface Connection {
  /** Sends a message and waits for its answer. */
  ask(text?: string): Promise<Answer>;
  /** Waits, sending nothing, until the connection ends by itself, or for some milliseconds. */
  ended(limit?: number): Promise<'reset' | 'closed' | 'open'>;
  close(): void;
  /** Ends it as a client does that is lost: nobody hears of it, and its port is free. */
  abandon(): void;
}

/** One request on a connection of its own. */
export async function ask(host: Host, request: Request): Promise<Answer> {
  const connection = await open(host, request);
  if ('kind' in connection) return connection;
  const answer = await connection.ask();
  connection.close();
  return answer;
}

/** Connects; what the client saw if it could not. */
export async function open(host: Host, request: Request): Promise<Connection | Answer> {
  const limit = request.patience ?? patience;
  const fd = openIn(host, request);
  const failure = connectSocket(fd, request);
  if (failure === EINPROGRESS) {
    const isReady = await ready(fd, { event: 'writable', limit });
    const error = isReady ? socketError(fd) : errnoNumber('ETIMEDOUT');
    if (error !== 0) return fail(fd, error);
  } else if (failure !== 0) return fail(fd, failure);
  return connectionOn(fd, { limit, protocol: request.protocol });
}

function openIn(host: Host, { address, protocol, port, source, sourcePort }: Request): number {
  const isBound = source !== undefined || sourcePort !== undefined;
  const from = { address: source ?? unspecified(familyOf(address)), port: sourcePort ?? 0 };
  return clientSocket(host, protocol, {
    to: { address, port },
    from: isBound ? from : undefined,
  });
}

function connectionOn(
  fd: number,
  { limit, protocol }: { limit: number; protocol: Protocol },
): Connection {
  let isOpen = true;
  const closing = new AbortController();
  const close = () => {
    // Whoever still waits for the descriptor lets go of it first: its number is soon another socket's. (Without a reason each abort makes
    // an exception with a stack.)
    closing.abort('closed');
    if (isOpen) closeSocket(fd);
    isOpen = false;
  };
  const readable = (milliseconds: number) =>
    ready(fd, { event: 'readable', limit: milliseconds, signal: closing.signal });
  return {
    async ask(text = 'hello') {
      const failure = sendText(fd, text);
      if (failure !== 0) return { kind: meaning(failure) };
      if (!(await readable(limit))) return { kind: 'timeout' };
      const got = receiveText(fd);
      if (typeof got === 'number') return { kind: meaning(got) };
      const [server = '', peer = ''] = got.split(' ');
      return got === '' ? { kind: 'reset' } : { kind: 'answer', server, peer };
    },
    async ended(milliseconds = patience) {
      if (!(await readable(milliseconds))) return 'open';
      return receiveText(fd) === '' ? 'closed' : 'reset';
    },
    close() {
      if (isOpen && protocol !== 'UDP') resetOnClose(fd);
      close();
    },
    abandon() {
      if (isOpen && protocol === 'TCP') silenceOnClose(fd);
      close();
    },
  };
}

function fail(fd: number, error: number): Answer {
  closeSocket(fd);
  return { kind: meaning(error) };
}

/** What a client calls an error; throws at one that no test of packets expects. */
function meaning(error: number): 'refused' | 'reset' | 'timeout' | 'unreachable' {
  const code = codeOf(error);
  switch (code) {
    case 'ETIMEDOUT':
      return 'timeout';
    case 'ECONNREFUSED':
      return 'refused';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EPERM':
      return 'unreachable';
    default:
      throw new Error(`a client's socket: ${code}`);
  }
}

/** Waits for a descriptor; false if nothing happened in time, or before the signal aborted. */
async function ready(
  fd: number,
  { event, limit, signal }: { event: 'readable' | 'writable'; limit: number; signal?: AbortSignal },
): Promise<boolean> {
  if (signal?.aborted) return false;
  return await new Promise((resolve) => {
    const watch = koffi.node.poll as unknown as (
      fd: number,
      options: object,
      callback: () => void,
    ) => { close(): void };
    let isDone = false;
    const done = (isReady: boolean) => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      handle.close();
      signal?.removeEventListener('abort', abort);
      resolve(isReady);
    };
    const abort = () => done(false);
    signal?.addEventListener('abort', abort, { once: true });
    // Where the process was busy for longer, what came meanwhile counts: its event comes before immediates are run.
    const timer = setTimeout(() => setImmediate(() => done(false)), limit);
    const handle = watch(fd, { [event]: true }, () => done(true));
  });
}
