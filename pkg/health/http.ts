import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type IpAddress, printHostPort } from '../ip/address.ts';
import { type Clock, minutes, seconds, sleep } from '../runner/clock.ts';
import { Connection } from './connection.ts';
import { type Client, ConnectionTable, type Excess, sourceOf } from './connection-table.ts';

/** What is sent back. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Who answers which path, whatever the method. */
export type Routes = ReadonlyMap<string, () => Reply | Promise<Reply>>;

export interface HttpServerOptions {
  /** For the log, as in "health server". */
  readonly name: string;
  /** An unspecified address stands for every address of both families. */
  readonly address: IpAddress;
  /** 0 for any that is free. */
  readonly port: number;
  readonly routes: Routes;
  readonly clock: Clock;
  readonly log: {
    info(message: string, details: Readonly<Record<string, unknown>>): void;
    error(message: string, error: unknown, details: Readonly<Record<string, unknown>>): void;
  };
  /** Whether an address is one of this node's; its own connections do not compete with those of others. */
  readonly isNodeAddress?: (address: IpAddress) => boolean;
  /** {@link HttpServer.run} throws when the server cannot listen, in place of trying again. */
  readonly hardFail?: boolean;
  /** Told the port whenever the server begins to listen. */
  readonly onListening?: (port: number) => void;
}

/** How long to wait before listening is tried again. */
const retryPause = seconds(5);

/** How often closed connections are logged at most. */
const excessPause = minutes(1);

/** Bytes of a request's header, and of its body. */
const largest = { header: 8 * 1024, body: 4 * 1024 } as const;

/** Text that browsers must not take for anything else. */
export function textReply(status: number, body: string): Reply {
  const headers = {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
  };
  return { status, headers, body };
}

/** JSON that browsers must not take for anything else. */
export function jsonReply(status: number, body: string): Reply {
  const headers = { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' };
  return { status, headers, body };
}

/**
 * One plain HTTP server that answers a few paths, and keeps trying to listen until it can. Anybody may connect: a client has one
 * request answered at a time, and what all of them can hold of memory is bounded ({@link ConnectionTable}).
 */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #connections: ConnectionTable;
  /** Reads requests and writes answers; it listens nowhere, and is given connections. */
  readonly #http = createHttp({ maxHeaderSize: largest.header, keepAliveTimeout: seconds(10) });
  readonly #clients = new WeakMap<Connection, Client>();
  /** When closed connections were logged last, and how many were closed since. */
  #excess = { loggedAt: -Infinity, count: 0 };

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#connections = new ConnectionTable(options.clock, (...what) => this.#logExcess(...what));
    this.#http.on('request', (request, response) => void this.#answer(request, response));
  }

  /** Serves until the signal aborts; then every connection is cut. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, address, port, clock, log, hardFail = false } = this.#options;
    let lastCode: string | undefined;
    while (!signal.aborted) {
      const failure = await this.#serve(signal);
      if (failure === undefined) return;
      const details = { address: printHostPort(address, port) };
      if (hardFail)
        throw new Error(`${name} cannot listen on ${details.address}`, { cause: failure });
      if (failure.code !== lastCode) log.error(`${name} cannot listen, retrying`, failure, details);
      lastCode = failure.code;
      await sleep(clock, retryPause, signal);
    }
  }

  /** Serves on the first address that can be listened on. The last failure, or `undefined` after an abort. */
  async #serve(signal: AbortSignal): Promise<NodeJS.ErrnoException | undefined> {
    let failure: NodeJS.ErrnoException | undefined;
    for (const host of hosts(this.#options.address)) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
        this.#accept(socket),
      );
      failure = await listen(server, { host, port: this.#options.port });
      if (failure === undefined) return await this.#untilAborted(server, signal);
      if (!hasNoFamily(failure)) break;
    }
    return failure;
  }

  async #untilAborted(server: Server, signal: AbortSignal): Promise<undefined> {
    const { name, log, onListening } = this.#options;
    const { address, port } = server.address() as AddressInfo; // it listens on an address, not on a pipe
    log.info(`${name} listens`, { address: printHostPort(address as IpAddress, port) }); // the kernel's text
    onListening?.(port);
    await new Promise<void>((resolve) => {
      const close = () => {
        server.close(() => resolve());
        this.#connections.closeAll();
      };
      if (signal.aborted) close();
      else signal.addEventListener('abort', close, { once: true });
    });
    return undefined;
  }

  #accept(socket: Socket): void {
    const source = sourceOf(socket, this.#options.isNodeAddress ?? (() => false));
    const connection = new Connection(socket);
    if (source === undefined) {
      connection.destroy();
      return;
    }
    const client = { ...source, close: () => void connection.destroy() };
    this.#clients.set(connection, client);
    this.#connections.enter(client);
    connection.once('close', () => this.#connections.leave(client));
    this.#http.emit('connection', connection);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection = request.socket;
    if (!(connection instanceof Connection) || !connection.beginAnswer()) return;
    const client = this.#clients.get(connection);
    if (client === undefined) return;
    response.once('finish', () => {
      this.#connections.sent(client);
      connection.endAnswer();
    });
    this.#connections.requested(client);
    const { status, headers, body } = await this.#replyTo(request);
    const length = Buffer.byteLength(body);
    this.#connections.sending(client, length);
    response.writeHead(status, { ...headers, 'Content-Length': String(length) }).end(body);
  }

  async #replyTo({ url = '', headers }: IncomingMessage): Promise<Reply> {
    if (Number(headers['content-length'] ?? 0) > largest.body) {
      const { status, headers: plain, body } = textReply(413, 'request body too large\n');
      return { status, headers: { ...plain, Connection: 'close' }, body };
    }
    const [path = ''] = url.split('?', 1);
    return await this.#reply(path);
  }

  async #reply(path: string): Promise<Reply> {
    const route = this.#options.routes.get(path);
    if (route === undefined) return textReply(404, '404 page not found\n');
    try {
      return await route();
    } catch (error) {
      this.#options.log.error(`${this.#options.name} cannot answer`, error, { path });
      return textReply(500, 'internal error\n');
    }
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

/** As in Go, one socket takes both families where the machine has IPv6. */
function hosts(address: IpAddress): readonly string[] {
  return address === '0.0.0.0' || address === '::' ? ['::', '0.0.0.0'] : [address];
}

/** Whether the machine lacks the family of an address. */
function hasNoFamily({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
}

/** The failure, or `undefined` if the server listens. */
async function listen(
  server: Server,
  where: { host: string; port: number },
): Promise<NodeJS.ErrnoException | undefined> {
  return await new Promise((resolve) => {
    // It stays on: an error later on, of one connection, must not end the program.
    server.on('error', resolve);
    server.listen(where, () => resolve(undefined));
  });
}
