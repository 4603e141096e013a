import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { IpAddress } from '../ip/address.ts';
import { type Clock, minutes, seconds } from '../runner/clock.ts';
import { Connection } from './connection.ts';
import { type Client, ConnectionTable, type Excess, sourceOf } from './connection-table.ts';
import { type Reply, textReply } from './reply.ts';
import type { HttpRequest } from './request.ts';

/** Answers a request with any method. */
export type Answer = (request: HttpRequest) => Reply | Promise<Reply>;

export interface HttpClientsOptions {
  /** For the log: "health server". */
  readonly name: string;
  readonly clock: Clock;
  readonly log: {
    error(message: string, error: unknown, details: Readonly<Record<string, unknown>>): void;
  };
  /** Whether an address is one of this node's. Its connections have a limit of their own. */
  readonly isNodeAddress?: ((address: IpAddress) => boolean) | undefined;
}

/** How often closed connections are logged at most. */
const excessPause = minutes(1);

/** The largest header and body of a request, in bytes. */
const largest = { header: 8 * 1024, body: 4 * 1024 } as const;

export interface ConnectionOptions {
  readonly answer: Answer;
  /** Closes the connection when it aborts. */
  readonly signal: AbortSignal;
}

interface Served {
  readonly client: Client;
  readonly connection: Connection;
  readonly answer: Answer;
  /** Aborts when the connection has ended. */
  readonly gone: AbortSignal;
}

/**
 * The connections of one or several listening sockets. Anybody may connect, so each client has one request answered at a time, and
 * the memory of all of them is limited ({@link ConnectionTable}).
 */
export class HttpClients {
  readonly #options: HttpClientsOptions;
  readonly #connections: ConnectionTable;
  /** Parses requests and writes answers. It does not listen itself, but is given connections. */
  readonly #http = createHttp({ maxHeaderSize: largest.header, keepAliveTimeout: seconds(10) });
  readonly #served = new WeakMap<Connection, Served>();
  /** When closed connections were logged last, and how many were closed since. */
  #excess = { loggedAt: -Infinity, count: 0 };

  constructor(options: HttpClientsOptions) {
    this.#options = options;
    this.#connections = new ConnectionTable(options.clock, (...what) => this.#logExcess(...what));
    this.#http.on('request', (request, response) => void this.#answer(request, response));
  }

  /** Serves an accepted connection. It is closed if it is idle for too long, or if there are too many. */
  accept(socket: Socket, { answer, signal }: ConnectionOptions): void {
    const source = sourceOf(socket, this.#options.isNodeAddress ?? (() => false));
    const connection = new Connection(socket);
    if (source === undefined || signal.aborted) {
      connection.destroy();
      return;
    }
    const close = () => void connection.destroy();
    const client = { ...source, close };
    signal.addEventListener('abort', close, { once: true });
    const gone = new AbortController();
    this.#served.set(connection, { client, connection, answer, gone: gone.signal });
    this.#connections.enter(client);
    connection.once('close', () => {
      signal.removeEventListener('abort', close);
      gone.abort();
      this.#connections.leave(client);
    });
    this.#http.emit('connection', connection);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection = request.socket;
    if (!(connection instanceof Connection) || !connection.beginAnswer()) return;
    const served = this.#served.get(connection);
    if (served === undefined) return;
    const { client } = served;
    response.once('finish', () => {
      this.#connections.sent(client);
      connection.endAnswer();
    });
    this.#connections.requested(client);
    const { status, headers, body } = await this.#replyTo(request, served);
    const length = Buffer.byteLength(body);
    this.#connections.sending(client, length);
    response.writeHead(status, { ...headers, 'Content-Length': String(length) }).end(body);
  }

  async #replyTo(request: IncomingMessage, served: Served): Promise<Reply> {
    if (Number(request.headers['content-length'] ?? 0) > largest.body) {
      const { status, headers: plain, body } = textReply(413, 'request body too large\n');
      return { status, headers: { ...plain, Connection: 'close' }, body };
    }
    const read = this.#readRequest(request, served);
    try {
      return await served.answer(read);
    } catch (error) {
      const { path } = read;
      this.#options.log.error(`${this.#options.name} cannot answer`, error, { path });
      return textReply(500, 'internal error\n');
    }
  }

  #readRequest(request: IncomingMessage, { client, connection, gone }: Served): HttpRequest {
    const { url = '', headers, method = 'GET' } = request;
    const [path = '', query = ''] = url.split(/\?(.*)/s, 2);
    return {
      method,
      path,
      query: new URLSearchParams(query),
      header: (name) => String(headers[name] ?? ''),
      body: () => readBody(request, connection),
      takes: (milliseconds) => this.#connections.takes(client, milliseconds),
      isFromLoopback: client.isLoopback,
      signal: gone,
    };
  }

  #logExcess(excess: Excess, { source }: Client): void {
    const { name, clock, log } = this.#options;
    this.#excess.count++;
    if (clock.now() - this.#excess.loggedAt < excessPause) return;
    const details = { source, closed: this.#excess.count };
    log.error(`${name} closes connections: ${excess}`, undefined, details);
    this.#excess = { loggedAt: clock.now(), count: 0 };
  }
}

/** Reads a body of the announced length. Without a length it is empty. */
async function readBody(request: IncomingMessage, connection: Connection): Promise<string> {
  const length = Number(request.headers['content-length'] ?? 0);
  if (!(length > 0)) return '';
  connection.passBody(length);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer); // without an encoding chunks are buffers
  return Buffer.concat(chunks).toString();
}
