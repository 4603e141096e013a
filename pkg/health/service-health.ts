import type { Socket } from 'node:net';
import { type IpAddress, printHostPort } from '../ip/address.ts';
import type { ServiceHealth } from '../kube/types.ts';
import { seconds, sleep } from '../runner/clock.ts';
import { type Answer, HttpClients, type HttpClientsOptions } from './http-clients.ts';
import { listenUntilAborted } from './listen.ts';
import { jsonReply, type Reply } from './reply.ts';

export interface ServiceHealthOptions extends HttpClientsOptions {
  /** Whether the kernel is up to date. */
  readonly isProxyHealthy: () => boolean;
  /** Called when a port cannot be listened on: once each time that this begins or its reason changes. */
  readonly onFailed: (service: ServiceHealth, error: NodeJS.ErrnoException) => void;
}

/** The pause before listening is tried again. */
const retryPause = seconds(5);

/** The server of one Service. */
interface ServiceServer {
  health: ServiceHealth;
  /** By the address that each listens on. */
  readonly listeners: Map<IpAddress, Listener>;
}

interface Listener {
  readonly stop: AbortController;
  /** Resolves when the socket is closed. */
  readonly ended: Promise<void>;
}

/**
 * The health-check node ports: one HTTP server for each Service that has one, for both families. It tells load balancers whether
 * this node has endpoints of the Service. All share one table of connections, so that their clients together use no more memory
 * than those of the health server.
 */
export class ServiceHealthServers {
  readonly #options: ServiceHealthOptions;
  readonly #clients: HttpClients;
  readonly #servers = new Map<string, ServiceServer>();
  #addresses: readonly IpAddress[] = [];
  /** Ports whose sockets are being closed, by port. */
  readonly #closing = new Map<number, Promise<unknown>>();
  #isStopped = false;

  constructor(options: ServiceHealthOptions) {
    this.#options = options;
    this.#clients = new HttpClients(options);
  }

  /** Opens the port of a Service, given by `namespace/name`, or updates its answer; `undefined` closes it. */
  set(key: string, health: ServiceHealth | undefined): void {
    const server = this.#servers.get(key);
    if (server !== undefined && server.health.port === health?.port) {
      server.health = health;
      return;
    }
    if (server !== undefined) this.#close(key, server);
    if (health === undefined || this.#isStopped) return;
    const opened = { health, listeners: new Map() };
    this.#servers.set(key, opened);
    this.#listen(key, opened);
  }

  /** Sets the addresses to listen on. An unspecified address means all addresses of both families. */
  setAddresses(addresses: readonly IpAddress[]): void {
    if (this.#isStopped) return;
    this.#addresses = addresses;
    for (const [key, server] of this.#servers) this.#listen(key, server);
  }

  /** Waits until the signal aborts, then closes all ports and connections. */
  async run(signal: AbortSignal): Promise<void> {
    if (!signal.aborted)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    this.#isStopped = true;
    for (const [key, server] of this.#servers) this.#close(key, server);
    await Promise.all(this.#closing.values());
  }

  #listen(key: string, server: ServiceServer): void {
    const { listeners, health } = server;
    const { port } = health;
    for (const address of listeners.keys())
      if (!this.#addresses.includes(address)) this.#stopListening(server, address);
    const before = this.#closing.get(port);
    for (const address of this.#addresses) {
      if (listeners.has(address)) continue;
      const stop = new AbortController();
      const serve = async () => {
        await before;
        await this.#serve(address, { key, port, signal: stop.signal });
      };
      listeners.set(address, { stop, ended: serve() });
    }
  }

  #close(key: string, server: ServiceServer): void {
    this.#servers.delete(key);
    for (const address of server.listeners.keys()) this.#stopListening(server, address);
  }

  /** Closes a socket. The next one on the same port waits for it. */
  #stopListening({ listeners, health: { port } }: ServiceServer, address: IpAddress): void {
    const listener = listeners.get(address);
    listeners.delete(address);
    listener?.stop.abort();
    const closing = Promise.all([this.#closing.get(port), listener?.ended]).then(() => {
      if (this.#closing.get(port) === closing) this.#closing.delete(port);
    });
    this.#closing.set(port, closing);
  }

  /** Listens on one address until the Service no longer wants it. Tries again while the port is taken. */
  async #serve(
    address: IpAddress,
    { key, port, signal }: { key: string; port: number; signal: AbortSignal },
  ): Promise<void> {
    const { clock, onFailed, log, name } = this.#options;
    const onConnection = (socket: Socket) => this.#clients.accept(socket, { answer, signal });
    const answer: Answer = () => this.#reply(key);
    let lastCode: string | undefined;
    while (!signal.aborted) {
      const failure = await listenUntilAborted(
        { address, port },
        { signal, onConnection, onListening: () => (lastCode = undefined) },
      );
      if (failure === undefined) return;
      const health = this.#servers.get(key)?.health;
      if (failure.code !== lastCode && health !== undefined) {
        const details = { service: key, address: printHostPort(address, port) };
        log.error(`${name} cannot listen, retrying`, failure, details);
        onFailed(health, failure);
      }
      lastCode = failure.code;
      await sleep(clock, retryPause, signal);
    }
  }

  #reply(key: string): Reply {
    const health = this.#servers.get(key)?.health;
    const { namespace = '', name = '', localEndpoints = 0 } = health ?? {};
    const serviceProxyHealthy = this.#options.isProxyHealthy();
    const isOk = localEndpoints > 0 && serviceProxyHealthy;
    const body = { service: { namespace, name }, localEndpoints, serviceProxyHealthy };
    const {
      status,
      headers,
      body: text,
    } = jsonReply(isOk ? 200 : 503, JSON.stringify(body, undefined, '\t'));
    const weight = { 'X-Load-Balancing-Endpoint-Weight': String(localEndpoints) };
    return { status, headers: { ...headers, ...weight }, body: text };
  }
}
