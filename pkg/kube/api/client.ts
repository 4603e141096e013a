import { type Clock, minutes, seconds, sleep } from '../../runner/clock.ts';
import { TokenBucket } from '../../runner/token-bucket.ts';
import type { Connection } from '../credentials/connection.ts';
import { Secrets } from '../credentials/secrets.ts';
import type { KubeMetrics } from '../metrics.ts';
import { BodyError } from './body-error.ts';
import { BlockPool } from './byte-buffer.ts';
import { isCertificateError } from './certificate.ts';
import { type ApiError, ConnectionError, errorFromStatus } from './error.ts';
import { LineParser, ListParser, objectLimit, ValueParser } from './json-stream.ts';
import { acceptedTypes, bytesOf, isProtobuf, statusOf } from './media-type.ts';
import { FrameParser, ProtobufListParser } from './protobuf-stream.ts';
import { type Answer, Transport } from './transport.ts';

/** In milliseconds: how long without a byte (whoever follows a watch gives it up sooner, and knows how to go on), and in all. */
const timeouts = {
  request: { idle: seconds(60), total: minutes(2) },
  list: { idle: seconds(60), total: minutes(10) },
  watch: { idle: seconds(180), total: Number.POSITIVE_INFINITY },
} as const;
/** How many requests are sent at once, and how often one more: never more than 20 in a second, whatever the server does. */
const requestRate = { burst: 10, interval: seconds(0.1) };
/** The largest answer, in bytes, to something that was written: an Event with what the server adds. */
const writtenLimit = 256 * 1024;
/** How many bytes are parsed before the values in them are told: objects that die young cost V8 less memory. */
const portion = 8 * 1024;
/** How much of the body of an error is read. */
const errorBodyLimit = 64 * 1024;

/** What may come with any request. */
export interface RequestOptions {
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** The API, as far as we use it. All of it fails with ApiError, ConnectionError, or the reason of an aborted signal. */
export interface Client {
  /** The object at a path. */
  get(path: string, options?: RequestOptions): Promise<unknown>;
  /** Creates an object; gives what the server made of it. */
  post(path: string, body: unknown, options?: RequestOptions): Promise<unknown>;
  /** Changes fields of an object (JSON merge patch). */
  patch(path: string, body: unknown, options?: RequestOptions): Promise<unknown>;
  /** Gives the items of a list as they arrive, and in the end what stood around them. */
  list(path: string, options: ListOptions): Promise<unknown>;
  /** Gives the events of a watch as they arrive, on a connection of its own, until the server ends it. */
  watch(path: string, options: WatchOptions): Promise<void>;
}

/** Who hears a list as it arrives. Both may throw, which ends it. */
export interface ListOptions extends RequestOptions {
  /** Whether it gets a connection of its own, which no earlier request used. */
  readonly ownConnection?: boolean;
  /** Hears what stands before the items, before any of them; not called where there is no array of items. */
  readonly onHead?: (head: unknown) => void;
  readonly onItems: (items: readonly unknown[]) => void;
}

/** Who hears a watch as it arrives. */
export interface WatchOptions extends RequestOptions {
  /** The server has accepted the watch. */
  readonly onOpen?: () => void;
  /** May throw, which ends it. */
  readonly onEvents: (events: readonly unknown[]) => void;
}

export interface ClientOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly metrics: KubeMetrics;
  /** `kube-proxy/v1.36.0`. */
  readonly userAgent: string;
  /**
   * In what lists and watches may be answered, with commas between content types; protobuf and JSON if nothing is said. A server that
   * has no protobuf answers in JSON, and so is it read.
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

/** The API over HTTP: lists and watches in protobuf where the server has it, everything else in JSON. */
export class HttpClient implements Client {
  readonly #options: ClientOptions;
  readonly #transport: Transport;
  readonly #requests: TokenBucket;
  /** Of all objects that are not complete yet. */
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

  /** Closes the connections that are kept for later requests. */
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

  /** Errors, those that readers draw from what they are given included, without what servers echo of our credentials. */
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

  /** A body that cannot be read is a broken connection: a proxy in between, or an answer cut short. */
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

  /** Answers other than success are errors. Where credentials are refused, or certificates, all is read anew once. */
  async #call(call: Call): Promise<Answer> {
    const answer = await this.#send(call, { fresh: false }).catch(async (error: unknown) => {
      const isRefused = error instanceof ConnectionError && isCertificateError(error.cause);
      if (!isRefused || call.signal?.aborted === true) throw error;
      return this.#send(call, { fresh: true }).catch((again: unknown) => {
        // What is wrong with a certificate says more than that nothing new can be read.
        throw again instanceof ConnectionError ? again : error;
      });
    });
    if (answer.status !== 401) return this.#succeeded(call, answer);
    await bytesOf(answer, errorBodyLimit);
    return this.#succeeded(call, await this.#send(call, { fresh: true }));
  }

  async #send(call: Call, { fresh }: { fresh: boolean }): Promise<Answer> {
    const { connection, clock, metrics, userAgent } = this.#options;
    await this.#turn(call.signal);
    const start = clock.now();
    const credentials = await connection.credentials({ fresh });
    const url = this.#url(call); // Fresh credentials may name another server.
    this.#secrets.note(credentials, url);
    const type = call.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const count = (code: string) =>
      metrics.requested({
        method: call.method,
        host: url.host,
        code,
        duration: (clock.now() - start) / 1000,
      });
    try {
      const answer = await this.#transport.send({
        method: call.method,
        url,
        credentials,
        headers: {
          accept: acceptedTypes(call.purpose, this.#options.contentTypes),
          'user-agent': userAgent,
          ...(call.body !== undefined && { 'content-type': type }),
        },
        body: call.body === undefined ? undefined : JSON.stringify(call.body),
        isLong: call.ownConnection === true,
        timeouts: timeouts[call.purpose],
        signal: call.signal,
      });
      count(`${answer.status}`);
      return answer;
    } catch (error) {
      count('<error>');
      throw error;
    }
  }

  /** Waits until one more request may be sent. */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const delay = this.#requests.reserve();
    if (delay > 0) await sleep(this.#options.clock, delay, signal);
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
