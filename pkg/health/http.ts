import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type IpAddress, printHostPort } from '../ip/address.ts';
import { type Clock, seconds, sleep } from '../runner/clock.ts';

/** What is sent back. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Who answers which path, whatever the method. */
export type Routes = ReadonlyMap<string, () => Reply | Promise<Reply>>;

/** What a {@link HttpServer} is made of. */
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
  /** Told the port whenever the server begins to listen. */
  readonly onListening?: (port: number) => void;
}

/** How long to wait before listening is tried again. */
const retryPause = seconds(5);

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

/** One plain HTTP server that answers a few paths, and keeps trying to listen until it can. */
export class HttpServer {
  readonly #options: HttpServerOptions;

  constructor(options: HttpServerOptions) {
    this.#options = options;
  }

  /** Serves until the signal aborts; then every connection is cut. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, address, port, clock, log } = this.#options;
    let lastCode: string | undefined;
    while (!signal.aborted) {
      const failure = await this.#serve(signal);
      if (failure === undefined) return;
      const details = { address: printHostPort(address, port) };
      if (failure.code !== lastCode) log.error(`${name} cannot listen, retrying`, failure, details);
      lastCode = failure.code;
      await sleep(clock, retryPause, signal);
    }
  }

  /** Serves on the first address that can be listened on. The last failure, or `undefined` after an abort. */
  async #serve(signal: AbortSignal): Promise<NodeJS.ErrnoException | undefined> {
    let failure: NodeJS.ErrnoException | undefined;
    for (const host of hosts(this.#options.address)) {
      const server = createServer((request, response) => void this.#answer(request, response));
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
      function close(): void {
        server.close(() => resolve());
        server.closeAllConnections();
      }
      if (signal.aborted) close();
      else signal.addEventListener('abort', close, { once: true });
    });
    return undefined;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const { status, headers, body } = await this.#reply(path);
    const length = { 'Content-Length': String(Buffer.byteLength(body)) };
    response.writeHead(status, { ...headers, ...length }).end(body);
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
