import { type Clock, minutes, seconds, sleep } from '../../runner/clock.ts';
import { TokenBucket } from '../../runner/token-bucket.ts';
import type { Connection } from '../credentials/connection.ts';
import { Secrets } from '../credentials/secrets.ts';
import type { RequestMetrics } from '../metrics.ts';
import { BodyError } from './body-error.ts';
import { BlockPool } from './byte-buffer.ts';
import { isCertificateError } from './certificate.ts';
import { type ApiError, ConnectionError, errorFromStatus } from './error.ts';
import { LineParser, ListParser, objectLimit, ValueParser } from './json-stream.ts';
import { acceptedTypes, bytesOf, isProtobuf, statusOf } from './media-type.ts';
import { FrameParser, ProtobufListParser } from './protobuf-stream.ts';
import { RequestMeter } from './request-meter.ts';
import { type Answer, Transport } from './transport.ts';

/** In milliseconds: the longest time without a byte, and in all. The reflector ends a silent watch sooner. */
const timeouts = {
  request: { idle: seconds(60), total: minutes(2) },
  list: { idle: seconds(60), total: minutes(10) },
  watch: { idle: seconds(180), total: Number.POSITIVE_INFINITY },
} as const;
/** The limit of requests: a burst, then 10 in a second. */
const requestRate = { burst: 10, interval: seconds(0.1) };
/** The largest answer to a write, in bytes: an Event with the fields that the server adds. */
const writtenLimit = 256 * 1024;
/** How many bytes are parsed before the values in them are passed on: V8 frees short-lived objects cheaply. */
const portion = 8 * 1024;
/** How many bytes of an error's body are read. */
const errorBodyLimit = 64 * 1024;

/** Options of any request. */
export interface RequestOptions {
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** The part of the API that we use. All methods fail with ApiError, ConnectionError, or the reason of an aborted signal. */
export interface Client {
  /** The object at a path. */
  get(path: string, options?: RequestOptions): Promise<unknown>;
  /** Creates an object. Returns it as the server stored it. */
  post(path: string, body: unknown, options?: RequestOptions): Promise<unknown>;
  /** Changes fields of an object (JSON merge patch). */
  patch(path: string, body: unknown, options?: RequestOptions): Promise<unknown>;
  /** Passes on the items of a list as they arrive. Returns the list without its items. */
  list(path: string, options: ListOptions): Promise<unknown>;
  /** Passes on the events of a watch as they arrive, on a connection of its own, until the server ends it. */
  watch(path: string, options: WatchOptions): Promise<void>;
}

/** Callbacks of a list. If one throws, the list ends. */
export interface ListOptions extends RequestOptions {
  /** Whether the list uses a new connection. */
  readonly ownConnection?: boolean;
  /** Called with the fields before the items, before any item. Not called if there is no array of items. */
  readonly onHead?: (head: unknown) => void;
  readonly onItems: (items: readonly unknown[]) => void;
}

/** Callbacks of a watch. */
export interface WatchOptions extends RequestOptions {
  /** Called when the server has accepted the watch. */
  readonly onOpen?: () => void;
  /** Called with events. If it throws, the watch ends. */
  readonly onEvents: (events: readonly unknown[]) => void;
}

export interface ClientOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly metrics: RequestMetrics;
  /** `kube-proxy/v1.36.0`. */
  readonly userAgent: string;
  /**
   * The content types that lists and watches may be answered in, separated by commas; protobuf and JSON by default. A server
   * without protobuf answers in JSON.
   */
  readonly contentTypes?: string | undefined;
}

interface Call extends RequestOptions {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly body?: unknown;
  readonly purpose: keyof typeof timeouts;
  readonly ownConnection?: boolean;
}

type Parser = Pick<ListParser, 'push' | 'finish' | 'close'>;
type Listener = (values: readonly unknown[]) => void;

/** The API over HTTP: lists and watches in protobuf if the server has it, all else in JSON. */
export class HttpClient implements Client {
  readonly #options: ClientOptions;
  readonly #transport: Transport;
  readonly #requests: TokenBucket;
  /** The memory of all objects that are not complete yet. */
  readonly #memory = new BlockPool();
  readonly #secrets = new Secrets();

  constructor(options: ClientOptions) {
    const { clock } = options;
    this.#options = options;
    this.#transport = new Transport(clock);
    this.#requests = new TokenBucket({ clock, ...requestRate });
  }

  async get(path: string, options: RequestOptions = {}): Promise<unknown> {
    const call: Call = { ...options, method: 'GET', path, purpose: 'request' };
    return this.#hiding(this.#json(call, objectLimit));
  }

  async post(path: string, body: unknown, options: RequestOptions = {}): Promise<unknown> {
    const call: Call = { ...options, method: 'POST', path, body, purpose: 'request' };
    return this.#hiding(this.#json(call, writtenLimit));
  }

  async patch(path: string, body: unknown, options: RequestOptions = {}): Promise<unknown> {
    const call: Call = { ...options, method: 'PATCH', path, body, purpose: 'request' };
    return this.#hiding(this.#json(call, writtenLimit));
  }

  async list(path: string, options: ListOptions): Promise<unknown> {
    const call: Call = { ...options, method: 'GET', path, purpose: 'list' };
    return this.#hiding(this.#list(call, options));
  }

  async watch(path: string, options: WatchOptions): Promise<void> {
    const common = { method: 'GET', path, purpose: 'watch', ownConnection: true } as const;
    return this.#hiding(this.#watch({ ...options, ...common }, options));
  }

  /** Closes idle connections. */
  close(): void {
    this.#transport.close();
  }

  async #list(call: Call, { onHead, onItems }: ListOptions): Promise<unknown> {
    const answer = await this.#call(call);
    const parser = isProtobuf(answer)
      ? new ProtobufListParser(this.#memory, onHead)
      : new ListParser(this.#memory, onHead);
    return this.#read(answer, { call, parser, onValues: onItems });
  }

  async #watch(call: Call, { onOpen, onEvents }: WatchOptions): Promise<void> {
    const answer = await this.#call(call);
    onOpen?.();
    const parser = isProtobuf(answer)
      ? new FrameParser(this.#memory)
      : new LineParser(this.#memory);
    await this.#read(answer, { call, parser, onValues: onEvents });
  }

  /** Removes our credentials, which a server may repeat, from errors, also from those that callbacks throw. */
  async #hiding<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      throw this.#secrets.hideIn(error);
    }
  }

  async #read(
    answer: Answer,
    { call, parser, onValues }: { call: Call; parser: Parser; onValues: Listener },
  ): Promise<unknown> {
    try {
      await answer.read((bytes) => {
        for (let at = 0; at < bytes.length; at += portion) {
          const values = this.#guard(call, () => parser.push(bytes.subarray(at, at + portion)));
          if (values.length > 0) onValues(values);
        }
        return true;
      });
      return this.#guard(call, () => parser.finish());
    } finally {
      parser.close();
    }
  }

  /** Turns a body that cannot be parsed into a ConnectionError: a proxy may have answered, or the answer is incomplete. */
  #guard<Value>(call: Call, parse: () => Value): Value {
    try {
      return parse();
    } catch (cause) {
      if (!(cause instanceof BodyError)) throw cause;
      throw new ConnectionError(this.#name(call), { reason: cause.message, cause });
    }
  }

  async #json(call: Call, limit: number): Promise<unknown> {
    const answer = await this.#call(call);
    const parser = new ValueParser(limit);
    await answer.read((bytes) => {
      this.#guard(call, () => parser.push(bytes));
      return true;
    });
    return this.#guard(call, () => parser.finish());
  }

  /**
   * Sends a request. Throws if the answer is not a success. If credentials or certificates are refused, reads them again and
   * retries once.
   */
  async #call(call: Call): Promise<Answer> {
    const answer = await this.#send(call, { fresh: false }).catch(async (error: unknown) => {
      const isRefused = error instanceof ConnectionError && isCertificateError(error.cause);
      if (!isRefused || call.signal?.aborted === true) throw error;
      return this.#send(call, { fresh: true }).catch((again: unknown) => {
        // The problem of the certificate says more than the error of reading the credentials again.
        throw again instanceof ConnectionError ? again : error;
      });
    });
    if (answer.status !== 401) return this.#succeeded(call, answer);
    await bytesOf(answer, errorBodyLimit);
    return this.#succeeded(call, await this.#send(call, { fresh: true }));
  }

  async #send(call: Call, { fresh }: { fresh: boolean }): Promise<Answer> {
    const { connection, clock, metrics, userAgent } = this.#options;
    const { method, purpose } = call;
    await this.#turn(call);
    const start = clock.now();
    const credentials = await connection.credentials({ fresh });
    const url = this.#url(call); // Fresh credentials may have another server.
    this.#secrets.note(credentials, url);
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    // Only a request that is repeated asks for fresh credentials.
    const request = { method, host: url.host, start, body, isRetry: fresh };
    const meter = new RequestMeter(
      { ...request, isWatch: purpose === 'watch' },
      { clock, metrics },
    );
    const answer = await this.#transport
      .send({
        method,
        url,
        credentials,
        headers: {
          accept: acceptedTypes(purpose, this.#options.contentTypes),
          'user-agent': userAgent,
          ...(body !== undefined && { 'content-type': type }),
        },
        body,
        isLong: call.ownConnection === true,
        timeouts: timeouts[purpose],
        signal: call.signal,
      })
      .catch((error: unknown) => {
        meter.failed();
        throw error;
      });
    return meter.answered(answer);
  }

  /** Waits until the rate limit allows one more request. */
  async #turn({ method, signal }: Call): Promise<void> {
    const { connection, clock, metrics } = this.#options;
    const start = clock.now();
    const delay = this.#requests.reserve();
    if (delay > 0) await sleep(clock, delay, signal);
    const duration = (clock.now() - start) / 1000;
    metrics.rateLimited({ method, host: connection.server.host, duration });
    signal?.throwIfAborted();
  }

  async #succeeded(call: Call, answer: Answer): Promise<Answer> {
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw await this.#error(call, answer);
  }

  async #error(call: Call, answer: Answer): Promise<ApiError> {
    const { status, headers } = answer;
    const body = await bytesOf(answer, errorBodyLimit).catch(() => new Uint8Array(0));
    const retryAfter = Number(headers['retry-after']);
    return errorFromStatus(this.#name(call), {
      status,
      body: statusOf(answer, body),
      retryAfter: Number.isFinite(retryAfter) && retryAfter > 0 ? seconds(retryAfter) : undefined,
    });
  }

  #url({ path, query = {} }: Call): URL {
    const { server } = this.#options.connection;
    const url = new URL(server.href.replace(/\/$/, '') + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  }

  #name({ method, path }: Call): string {
    return `${method} ${this.#options.connection.server.origin}${path}`;
  }
}
