import type { Client, RequestOptions } from './client.ts';

/** One list or watch that a test answers. */
export interface FakeCall {
  readonly type: 'list' | 'watch';
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Whether the caller has given it up. */
  isAborted(): boolean;
  /** Sends items of a list, or events of a watch. */
  send(...values: unknown[]): void;
  /** Ends it as a server does; a list with its metadata. */
  end(metadata?: unknown): void;
  /** Ends it with an error. */
  fail(error: Error): void;
}

/** A post or a patch that was made. */
export interface FakeWrite {
  readonly method: 'POST' | 'PATCH';
  readonly path: string;
  readonly body: unknown;
}

type Sink = (values: readonly unknown[]) => void;

/** An API whose answers a test gives, call by call. */
export class FakeClient implements Client {
  readonly writes: FakeWrite[] = [];
  /** What a post or a patch is answered with. */
  onWrite: (body: unknown) => Promise<unknown> = async (body) => body;
  readonly #calls: FakeCall[] = [];
  readonly #takers: ((call: FakeCall) => void)[] = [];
  #open = 0;

  /** Calls that were asked for and not yet taken. */
  get waiting(): number {
    return this.#calls.length;
  }

  /** Calls that have neither ended, failed nor been given up. */
  get open(): number {
    return this.#open;
  }

  /** The next list or watch that is asked for. */
  async call(): Promise<FakeCall> {
    return this.#calls.shift() ?? new Promise((resolve) => this.#takers.push(resolve));
  }

  async get(): Promise<unknown> {
    return undefined;
  }

  async post(path: string, body: unknown): Promise<unknown> {
    this.writes.push({ method: 'POST', path, body });
    return this.onWrite(body);
  }

  async patch(path: string, body: unknown): Promise<unknown> {
    this.writes.push({ method: 'PATCH', path, body });
    return this.onWrite(body);
  }

  async list(path: string, options: RequestOptions & { onItems: Sink }): Promise<unknown> {
    return this.#start('list', path, { ...options, sink: options.onItems });
  }

  async watch(path: string, options: RequestOptions & { onEvents: Sink }): Promise<void> {
    await this.#start('watch', path, { ...options, sink: options.onEvents });
  }

  #start(
    type: FakeCall['type'],
    path: string,
    { signal, sink, query = {} }: RequestOptions & { sink: Sink },
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    let isOpen = true;
    this.#open++;
    const close = (finish: () => void) => {
      if (!isOpen) return;
      isOpen = false;
      this.#open--;
      finish();
    };
    const send = (...values: unknown[]) => {
      try {
        if (isOpen) sink(values);
      } catch (error) {
        close(() => reject(error as Error));
      }
    };
    const onAbort = () => close(() => reject(signal?.reason as Error));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#give({
      type,
      path,
      query,
      send,
      isAborted: () => signal?.aborted === true,
      end: (metadata) => close(() => resolve({ metadata })),
      fail: (error) => close(() => reject(error)),
    });
    return promise;
  }

  #give(call: FakeCall): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#calls.push(call);
    else taker(call);
  }
}
