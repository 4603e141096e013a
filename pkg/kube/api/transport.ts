import http from 'node:http';
import https from 'node:https';
import { finished } from 'node:stream/promises';
import { type Clock, seconds } from '../../runner/clock.ts';
import type { Credentials } from '../credentials/connection.ts';
import { explainCertificate } from './certificate.ts';
import { ConnectionError } from './error.ts';

/** How long connecting may take. */
const connectTimeout = seconds(15);
/** After how much silence TCP probes the other end. The kernel then probes each second, ten times. */
const keepAliveDelay = seconds(10);

/** After how many bytes of a body the event loop turns. */
const turnLength = 256 * 1024;
/** After so many pieces of a body, their mean length must be at least this: a piece of one byte costs Node a thousand bytes, and time. */
const leastPieces = { count: 4096, length: 16 };

/** One HTTP request. */
export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly credentials: Credentials;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Whether it uses a connection of its own, which ends with it. */
  readonly isLong: boolean;
  /** After `idle` milliseconds without a byte the connection counts as dead; after `total` it is closed in any case. */
  readonly timeouts: { readonly idle: number; readonly total: number };
  readonly signal: AbortSignal | undefined;
}

/** Takes a piece of a body, which is invalid when it returns. False ends the reading. May throw. */
export type Take = (bytes: Uint8Array) => boolean;

/** The head of an answer, and its body. Reading the body to its end frees the connection; stopping before closes it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  readonly read: (take: Take) => Promise<void>;
}

/** Sends requests over node:http and node:https, and detects dead connections. */
export class Transport {
  readonly #clock: Clock;
  readonly #agents = {
    'http:': {
      short: new http.Agent({ keepAlive: true }),
      long: new http.Agent({ keepAlive: false }),
    },
    'https:': {
      short: new https.Agent({ keepAlive: true }),
      long: new https.Agent({ keepAlive: false }),
    },
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sends a request. Returns the head of the answer, or throws a ConnectionError. */
  async send(exchange: Exchange): Promise<Answer> {
    const watchdog = new Watchdog(this.#clock, exchange.timeouts.total);
    try {
      const response = await this.#open(exchange, watchdog);
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        read: (take) => read(response, { take, exchange, watchdog }),
      };
    } catch (error) {
      watchdog.stop();
      throw await this.#explained(error, exchange);
    }
  }

  /** Closes all connections. */
  close(): void {
    for (const { short, long } of Object.values(this.#agents)) {
      short.destroy();
      long.destroy();
    }
  }

  #open(exchange: Exchange, watchdog: Watchdog): Promise<http.IncomingMessage> {
    const { method, url, credentials, body, isLong, signal } = exchange;
    const { idle } = exchange.timeouts;
    const isSecure = url.protocol === 'https:';
    const agents = this.#agents[isSecure ? 'https:' : 'http:'];
    const agent = credentials.agent ?? (isLong ? agents.long : agents.short);
    const headers = { ...credentials.headers, ...exchange.headers };
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent, ...credentials.tls };
      const request = (isSecure ? https : http).request(url, options);
      // Node's own `signal` option also destroys the socket after the end, when it is in the pool and nobody handles its error.
      const abort = () => request.destroy();
      signal?.addEventListener('abort', abort);
      request.on('close', () => signal?.removeEventListener('abort', abort));
      if (signal?.aborted === true) abort();
      const destroy = (error: Error) => request.destroy(error);
      watchdog.guard(connectTimeout, { reason: 'cannot connect in time', destroy });
      request.on('socket', (socket) => {
        socket.setKeepAlive(true, keepAliveDelay);
        const connected = () => watchdog.guard(idle, { reason: silence(idle), destroy });
        // Runs after the listener of the request, which has copied what it needs.
        socket.on('data', free);
        request.on('close', () => socket.off('data', free));
        if (request.reusedSocket) connected();
        else socket.once(isSecure ? 'secureConnect' : 'connect', connected);
      });
      request.on('error', reject);
      request.on('response', (response) => {
        // The reader of the body handles errors. This is for errors before it begins.
        response.on('error', () => {});
        resolve(response);
      });
      request.end(body);
    });
  }

  async #explained(
    error: unknown,
    { method, url, credentials, signal }: Exchange,
  ): Promise<unknown> {
    if (signal?.aborted === true) return signal.reason;
    const reason =
      (await explainCertificate(error, { server: url, credentials, clock: this.#clock })) ??
      reasonOf(error);
    return new ConnectionError(`${method} ${url.origin}${url.pathname}`, { reason, cause: error });
  }
}

/**
 * Reads a body until its end or until `take` returns false. Pieces are passed on at once: an iterator would gather them, and one of
 * one byte costs 200 bytes.
 */
async function read(
  response: http.IncomingMessage,
  { take, exchange, watchdog }: { take: Take; exchange: Exchange; watchdog: Watchdog },
): Promise<void> {
  const { method, url, timeouts, signal } = exchange;
  const destroy = (error: Error) => void response.destroy(error);
  watchdog.guard(timeouts.idle, { reason: silence(timeouts.idle), destroy });
  let stop: { readonly error?: unknown } | undefined;
  let length = 0;
  const seen = { count: 0, length: 0 };
  response.on('data', (piece: Buffer) => {
    if (stop !== undefined) return;
    watchdog.restart();
    seen.count++;
    seen.length += piece.length;
    if (isCrumbs(seen)) return destroy(new Error('the answer comes in pieces of a few bytes'));
    stop = taken(piece, take);
    if (stop !== undefined) response.destroy();
    else if ((length += piece.length) >= turnLength) {
      length = 0;
      response.pause();
      setImmediate(() => response.resume());
    }
    free(piece);
  });
  const lost = await finished(response).catch((cause: unknown) => ({ cause }));
  watchdog.stop();
  if (stop !== undefined && 'error' in stop) throw stop.error;
  if (stop !== undefined || lost === undefined) return;
  if (signal?.aborted === true) throw signal.reason;
  const { cause } = lost;
  const reason = reasonOf(cause);
  throw new ConnectionError(`${method} ${url.origin}${url.pathname}`, { reason, cause });
}

function isCrumbs({ count, length }: { count: number; length: number }): boolean {
  return count > leastPieces.count && length < count * leastPieces.length;
}

/** Passes on a piece. A result ends the reading. */
function taken(piece: Uint8Array, take: Take): { readonly error?: unknown } | undefined {
  try {
    return take(piece) ? undefined : {};
  } catch (error) {
    return { error };
  }
}

/**
 * Frees the memory of bytes that were read. Node allocates each piece outside of V8's heap, where 64 MB gather before V8 collects
 * garbage.
 */
function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** What a watchdog does at its deadline. */
interface Timeout {
  readonly reason: string;
  readonly destroy: (error: Error) => void;
}

/** Closes a connection after some time without data, and after a total time. {@link restart} moves the deadline and sets no timer. */
class Watchdog {
  readonly #clock: Clock;
  readonly #total: number;
  readonly #end: number;
  #deadline = 0;
  #span = 0;
  #timeout: Timeout | undefined;
  #cancel: () => void = () => {};

  constructor(clock: Clock, total: number) {
    this.#clock = clock;
    this.#total = total;
    this.#end = clock.now() + total;
  }

  /** From now on, the timeout is `span` milliseconds, and this is what happens then. */
  guard(span: number, timeout: Timeout): void {
    this.#span = span;
    this.#timeout = timeout;
    this.restart();
    this.#arm();
  }

  /** Restarts the timeout, because data came. */
  restart(): void {
    this.#deadline = Math.min(this.#clock.now() + this.#span, this.#end);
  }

  stop(): void {
    this.#cancel();
  }

  #arm(): void {
    this.stop();
    this.#cancel = this.#clock.after(Math.max(0, this.#deadline - this.#clock.now()), () => {
      if (this.#clock.now() < this.#deadline) this.#arm();
      else this.#timeout?.destroy(new Error(this.#reason(this.#timeout)));
    });
  }

  #reason({ reason }: Timeout): string {
    if (this.#clock.now() < this.#end) return reason;
    return `not complete after ${Math.round(this.#total / 1000)} s`;
  }
}

function silence(milliseconds: number): string {
  return `not a byte for ${Math.round(milliseconds / 1000)} s`;
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(reasonOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  return error.message === 'aborted' ? 'the connection was cut' : error.message;
}
