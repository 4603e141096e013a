import http from 'node:http';
import https from 'node:https';
import { type Clock, seconds } from '../runner/clock.ts';
import { explainCertificate } from './certificate.ts';
import type { Credentials } from './connection.ts';
import { ConnectionError } from './error.ts';

/** How long a connection may take to stand. */
const connectTimeout = seconds(15);
/** After how much silence TCP asks whether the other side is still there; the kernel then asks each second, ten times. */
const keepAliveDelay = seconds(10);

/** One HTTP request, ready to be sent. */
export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly credentials: Credentials;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Whether it gets a connection of its own, which ends with it. */
  readonly isLong: boolean;
  /** Without a byte for `idle` milliseconds the connection counts as dead; after `total` it is given up, whatever comes. */
  readonly timeouts: { readonly idle: number; readonly total: number };
  readonly signal: AbortSignal | undefined;
}

/** The head of an answer, and its body as it comes; reading it to its end, or leaving the loop, frees the connection. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Sends requests over node:http and node:https, and notices connections that are dead. */
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

  /** Sends a request; ends with the head of the answer, or a ConnectionError. */
  async send(exchange: Exchange): Promise<Answer> {
    const watchdog = new Watchdog(this.#clock, exchange.timeouts.total);
    try {
      const response = await this.#open(exchange, watchdog);
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: read(response, { exchange, watchdog }),
      };
    } catch (error) {
      watchdog.stop();
      throw await this.#explained(error, exchange);
    }
  }

  /** Closes every connection. */
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
      const request = (isSecure ? https : http).request(url, {
        method,
        headers,
        agent,
        ...credentials.tls,
      });
      // Node's own `signal` option strikes after the end, too, and then a socket in the pool, whose error nobody hears.
      const abort = () => request.destroy();
      signal?.addEventListener('abort', abort);
      request.on('close', () => signal?.removeEventListener('abort', abort));
      if (signal?.aborted === true) abort();
      const destroy = (error: Error) => request.destroy(error);
      watchdog.guard(connectTimeout, { reason: 'cannot connect in time', destroy });
      request.on('socket', (socket) => {
        socket.setKeepAlive(true, keepAliveDelay);
        const connected = () => watchdog.guard(idle, { reason: silence(idle), destroy });
        if (request.reusedSocket) connected();
        else socket.once(isSecure ? 'secureConnect' : 'connect', connected);
      });
      request.on('error', reject);
      request.on('response', (response) => {
        // Whoever reads the body gets the error; between now and then it must not be nobody's.
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

async function* read(
  response: http.IncomingMessage,
  { exchange, watchdog }: { exchange: Exchange; watchdog: Watchdog },
): AsyncGenerator<Uint8Array> {
  const { method, url, timeouts, signal } = exchange;
  const destroy = (error: Error) => void response.destroy(error);
  watchdog.guard(timeouts.idle, { reason: silence(timeouts.idle), destroy });
  try {
    for await (const chunk of response) {
      watchdog.feed();
      yield chunk as Uint8Array;
    }
  } catch (cause) {
    if (signal?.aborted === true) throw signal.reason;
    throw new ConnectionError(`${method} ${url.origin}${url.pathname}`, {
      reason: reasonOf(cause),
      cause,
    });
  } finally {
    watchdog.stop();
  }
}

/** What a watchdog does when nothing came for too long. */
interface Bite {
  readonly reason: string;
  readonly destroy: (error: Error) => void;
}

/** Bites when nothing came for some time, and at the end of all time; a sign of life moves that moment without a timer of its own. */
class Watchdog {
  readonly #clock: Clock;
  readonly #total: number;
  readonly #end: number;
  #deadline = 0;
  #span = 0;
  #bite: Bite | undefined;
  #cancel: () => void = () => {};

  constructor(clock: Clock, total: number) {
    this.#clock = clock;
    this.#total = total;
    this.#end = clock.now() + total;
  }

  /** From now on, bites in this way after so many milliseconds without a sign of life. */
  guard(span: number, bite: Bite): void {
    this.#span = span;
    this.#bite = bite;
    this.feed();
    this.#arm();
  }

  /** A sign of life. */
  feed(): void {
    this.#deadline = Math.min(this.#clock.now() + this.#span, this.#end);
  }

  stop(): void {
    this.#cancel();
  }

  #arm(): void {
    this.stop();
    this.#cancel = this.#clock.after(Math.max(0, this.#deadline - this.#clock.now()), () => {
      if (this.#clock.now() < this.#deadline) this.#arm();
      else this.#bite?.destroy(new Error(this.#reason(this.#bite)));
    });
  }

  #reason({ reason }: Bite): string {
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
