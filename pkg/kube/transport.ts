import http from 'node:http';
import https from 'node:https';
import { type Clock, seconds } from '../runner/clock.ts';
import { describeCertificate } from './certificate.ts';
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
  /** Without a byte for this many milliseconds the connection counts as dead. */
  readonly idleTimeout: number;
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
    const watchdog = new Watchdog(this.#clock, Math.min(connectTimeout, exchange.idleTimeout));
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
      watchdog.start(() => request.destroy(new Error('cannot connect in time')));
      request.on('socket', (socket) => {
        socket.setKeepAlive(true, keepAliveDelay);
        const connected = () =>
          watchdog.restart(exchange.idleTimeout, () =>
            request.destroy(silence(exchange.idleTimeout)),
          );
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
    const certificate = await describeCertificate(error, {
      server: url,
      tls: credentials.tls,
      clock: this.#clock,
    });
    const reason = certificate === '' ? reasonOf(error) : `${reasonOf(error)} (${certificate})`;
    return new ConnectionError(`${method} ${url.origin}${url.pathname}`, { reason, cause: error });
  }
}

async function* read(
  response: http.IncomingMessage,
  { exchange, watchdog }: { exchange: Exchange; watchdog: Watchdog },
): AsyncGenerator<Uint8Array> {
  const { method, url, idleTimeout, signal } = exchange;
  watchdog.restart(idleTimeout, () => response.destroy(silence(idleTimeout)));
  try {
    for await (const chunk of response) {
      watchdog.restart(idleTimeout);
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

/** Bites when nothing came for some time; every sign of life moves that moment without a timer of its own. */
class Watchdog {
  readonly #clock: Clock;
  #deadline: number;
  #span: number;
  #bite: () => void = () => {};
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, span: number) {
    this.#clock = clock;
    this.#span = span;
    this.#deadline = clock.now() + span;
  }

  start(bite: () => void): void {
    this.#bite = bite;
    this.#arm();
  }

  restart(span: number, bite: () => void = this.#bite): void {
    this.#deadline = this.#clock.now() + span;
    this.#bite = bite;
    if (span === this.#span && this.#cancel !== undefined) return;
    this.#span = span;
    this.#arm();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(): void {
    this.stop();
    this.#cancel = this.#clock.after(Math.max(0, this.#deadline - this.#clock.now()), () => {
      this.#cancel = undefined;
      if (this.#clock.now() >= this.#deadline) this.#bite();
      else this.#arm();
    });
  }
}

function silence(milliseconds: number): Error {
  return new Error(`not a byte for ${Math.round(milliseconds / 1000)} s`);
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(reasonOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  return error.message === 'aborted' ? 'the connection was cut' : error.message;
}
