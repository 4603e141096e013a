import { printHostPort } from '../ip/address.ts';
import { seconds, sleep } from '../runner/clock.ts';
import { HttpClients, type HttpClientsOptions } from './http-clients.ts';
import { type ListenAddress, listenUntilAborted } from './listen.ts';
import { type Reply, textReply } from './reply.ts';
import type { HttpRequest } from './request.ts';

/** Answers a request with any method. */
export type Route = (request: HttpRequest) => Reply | Promise<Reply>;

/** The routes by path. */
export type Routes = ReadonlyMap<string, Route>;

export interface HttpServerOptions extends HttpClientsOptions, ListenAddress {
  readonly routes: Routes;
  readonly log: HttpClientsOptions['log'] & {
    info(message: string, details: Readonly<Record<string, unknown>>): void;
  };
  /** Whether {@link HttpServer.run} throws if the server cannot listen, instead of trying again. */
  readonly hardFail?: boolean;
  /** Called with the port whenever the server begins to listen. */
  readonly onListening?: (port: number) => void;
}

/** The pause before listening is tried again. */
const retryPause = seconds(5);

/** A plain HTTP server for a few paths. It tries to listen until it can. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #clients: HttpClients;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#clients = new HttpClients(options);
  }

  /** Serves until the signal aborts, then closes all connections. */
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

  async #serve(signal: AbortSignal): Promise<NodeJS.ErrnoException | undefined> {
    const { name, log, onListening } = this.#options;
    return await listenUntilAborted(this.#options, {
      signal,
      onConnection: (socket) => this.#clients.accept(socket, { answer: this.#answer, signal }),
      onListening({ address, port }) {
        log.info(`${name} listens`, { address: printHostPort(address, port) });
        onListening?.(port);
      },
    });
  }

  readonly #answer: Route = (request) =>
    this.#options.routes.get(request.path)?.(request) ?? textReply(404, '404 page not found\n');
}
