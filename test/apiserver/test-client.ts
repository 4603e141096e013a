import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { ApiServer } from './apiserver.ts';
import { type Json, type KubeObject, textAt } from './objects.ts';

/** An answer that came whole. */
export interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  /** The value of the JSON; `{ text }` for anything else. */
  readonly body: Json;
}

/** What may come with a request. */
export interface CallOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One event of a watch. */
export interface WatchEvent {
  readonly type: string;
  readonly object: KubeObject;
}

/** The barest client of a test API server that speaks plain HTTP: what is asked is sent, what comes is shown. */
export class TestClient implements Disposable {
  readonly #url: string;
  readonly #token: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(server: ApiServer) {
    this.#url = server.url;
    this.#token = server.credentials.any();
  }

  async call(path: string, options: CallOptions = {}): Promise<Answer> {
    const message = await this.#send(path, options);
    const received = await text(message);
    const isJson = message.headers['content-type'] === 'application/json';
    const body = isJson ? (JSON.parse(received) as Json) : { text: received }; // every JSON answer is an object
    return { code: message.statusCode ?? 0, headers: message.headers, body };
  }

  /** Opens a watch; it fails if the answer is not 200. */
  async watch(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<TestWatch> {
    const query = new URLSearchParams({ watch: 'true', ...parameters });
    const message = await this.#send(`${path}?${query.toString()}`, {});
    if (message.statusCode !== 200)
      throw new Error(`${message.statusCode}: ${await text(message)}`);
    return new TestWatch(message);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #send(
    path: string,
    { method = 'GET', body, headers }: CallOptions,
  ): Promise<IncomingMessage> {
    const isReady = typeof body === 'string' || body instanceof Buffer;
    const content = isReady ? body : body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(`${this.#url}${path}`, {
        method,
        agent: this.#agent,
        headers: {
          authorization: `Bearer ${this.#token}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(content),
          ...headers,
        },
      });
      sent.on('response', resolve).on('error', reject);
      sent.end(content);
    });
  }
}

/** An open watch, read line by line. */
export class TestWatch {
  readonly #message: IncomingMessage;
  readonly #lines: string[] = [];
  #rest = '';
  #end: 'complete' | 'cut' | undefined;
  #wake = () => {};

  constructor(message: IncomingMessage) {
    this.#message = message;
    message.setEncoding('utf8');
    message.on('data', (piece: string) => {
      const lines = (this.#rest + piece).split('\n');
      this.#rest = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#wake();
    });
    message.on('end', () => this.#finish('complete'));
    message.on('error', () => this.#finish('cut'));
    message.on('close', () => this.#finish('cut'));
  }

  /** The next event, as soon as there is one; `undefined` when the watch has ended. */
  async next(): Promise<WatchEvent | undefined> {
    while (this.#lines.length === 0 && this.#end === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const line = this.#lines.shift();
    return line === undefined ? undefined : (JSON.parse(line) as WatchEvent); // what watches send
  }

  /** The next events as text: `ADDED web 5`, the last one the version. */
  async take(count: number): Promise<string[]> {
    const events: string[] = [];
    while (events.length < count) events.push(printEvent(await this.next()));
    return events;
  }

  /** Events until the watch has ended, and how it did: `rest` is what came of a line that was cut. */
  async drain(): Promise<{ events: string[]; end: 'complete' | 'cut' | undefined; rest: string }> {
    const events: string[] = [];
    for (let event = await this.next(); event !== undefined; event = await this.next())
      events.push(printEvent(event));
    return { events, end: this.#end, rest: this.#rest };
  }

  close(): void {
    this.#message.destroy();
  }

  #finish(end: 'complete' | 'cut'): void {
    this.#end ??= end;
    this.#wake();
  }
}

function printEvent(event: WatchEvent | undefined): string {
  if (event === undefined) return 'end';
  if (event.type === 'ERROR') return `ERROR ${textAt(event.object, 'code')}`;
  const { name = '', resourceVersion, annotations } = event.object.metadata;
  const isMarked = annotations?.['k8s.io/initial-events-end'] === 'true';
  return [event.type, name, resourceVersion, isMarked ? 'initial-events-end' : '']
    .filter(Boolean)
    .join(' ');
}
